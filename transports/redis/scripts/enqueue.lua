-- enqueue.lua: add tasks that are to run as soon as possible.
-- ARGV: priority, max_queued, reply ('' none), reply_ttl_ms, then header and body of each.
-- Returns how many were taken (the rest: FULL), or -2 while the queue accepts nothing.
-- It stands alone, without lib.lua: it is the script that runs most.
local T = KEYS[1]
local stream = T .. ':s:' .. ARGV[1]
local meta = redis.call('HMGET', T .. ':m', 's', 'p', 'l')
if meta[1] == '2' then return -2 end
if ARGV[3] ~= '' and redis.call('EXISTS', T .. ':a:' .. ARGV[3]) == 0 then
    redis.call('XGROUP', 'CREATE', T .. ':a:' .. ARGV[3], 'w', '0', 'MKSTREAM')
    redis.call('PEXPIRE', T .. ':a:' .. ARGV[3], ARGV[4])
end
if ARGV[1] ~= '4' and not string.find(meta[2] or '', ARGV[1], 1, true) then
    -- the first of this priority: workers have to look at one more stream
    redis.pcall('XGROUP', 'CREATE', stream, 'w', '0', 'MKSTREAM')
    redis.call('HSET', T .. ':m', 'p', (meta[2] or '') .. ARGV[1])
    for _, owner in ipairs(redis.call('ZRANGE', T .. ':w', 0, -1)) do
        redis.call('XADD', T .. ':n:' .. owner, 'NOMKSTREAM', '*', 'h', 'p')
    end
end
local count = (#ARGV - 4) / 2
local room = ARGV[2] - redis.call('XLEN', stream)
if room < count then count = room > 0 and room or 0 end
for i = 1, count do
    redis.call('XADD', stream, '*', 'h', ARGV[3 + 2 * i], 'b', ARGV[4 + 2 * i])
end
if count > 0 and meta[3] and meta[3] ~= '0' and redis.call('EXISTS', T .. ':h') == 1 then
    -- a limit, and workers that wait: wake of lib.lua, at less length
    local left = tonumber(meta[3])
    for suffix in string.gmatch('f4' .. (meta[2] or ''), '.') do
        local held = redis.pcall('XPENDING', T .. ':s:' .. suffix, 'w')
        if not held.err then left = left - held[1] end
    end
    left = math.min(left, count)
    while left > 0 do
        local some = redis.call('SPOP', T .. ':h', left)
        if #some == 0 then break end
        for _, owner in ipairs(some) do
            if redis.call('XADD', T .. ':n:' .. owner, 'NOMKSTREAM', '*', 'h', 'l') then left = left - 1 end
        end
    end
end
return count
