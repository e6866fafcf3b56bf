-- special.lua: add one task with a delay or a dedup key.
-- ARGV: max_queued, reply ('' none), reply_ttl_ms, header, body, delay_ms, window_ms, conflict.
-- Returns {1} taken, {2, original} a duplicate, {0} full, {-2} nothing is accepted.
local e = read(ARGV[4])
if redis.call('HGET', T .. ':m', 's') == '2' then return {-2} end
if ARGV[2] ~= '' and redis.call('EXISTS', T .. ':a:' .. ARGV[2]) == 0 then
    redis.call('XGROUP', 'CREATE', T .. ':a:' .. ARGV[2], GROUP, '0', 'MKSTREAM')
    redis.call('PEXPIRE', T .. ':a:' .. ARGV[2], ARGV[3])
end
local stream = T .. ':s:' .. e.priority
local delay = tonumber(ARGV[6])
local window = tonumber(ARGV[7])
local record = e.dedup ~= '-' and redis.call('GET', T .. ':k:' .. e.dedup)
if record and string.sub(record, 1, 32) ~= e.id then
    local id = string.sub(record, 1, 32)
    local suffix, entry = string.match(string.sub(record, 34), '^(%S) ?(%S*)$')
    if ARGV[8] ~= '2' then
        if ARGV[8] == '1' and e.reply ~= '-' then
            local done = redis.call('GET', T .. ':r:' .. id)
            if done then
                answer(e.reply, e.id, done)
            else
                redis.call('RPUSH', T .. ':j:' .. id, e.reply .. ' ' .. e.id)
                redis.call('PEXPIRE', T .. ':j:' .. id, math.max(window, 60000))
            end
        end
        return {2, id}
    end
    -- replace: what waits goes, what runs stays
    if suffix == 'd' then
        redis.call('ZREM', T .. ':d', id)
        redis.call('HDEL', T .. ':b', id)
    elseif suffix and suffix ~= '-' then
        local from = T .. ':s:' .. suffix
        if #redis.pcall('XPENDING', from, GROUP, entry, entry, 1) == 0 then redis.call('XDEL', from, entry) end
    end
elseif record then
    return {1} -- the same task, sent again after a lost answer
end
if redis.call('XLEN', stream) >= tonumber(ARGV[1]) or
    (delay > 0 and redis.call('ZCARD', T .. ':d') >= tonumber(ARGV[1])) then return {0} end
if e.dedup ~= '-' then redis.call('SET', T .. ':k:' .. e.dedup, e.id .. ' -', 'PX', num(window)) end
local used = redis.call('HGET', T .. ':m', 'p') or ''
if e.priority ~= '4' and not string.find(used, e.priority, 1, true) then
    group(stream)
    redis.call('HSET', T .. ':m', 'p', used .. e.priority)
    tell_all('p')
end
if delay > 0 then
    local now = clock()
    e.accepted = now
    put_off(e, ARGV[5], now, delay)
else
    queue_up(e, ARGV[5], e.priority)
    wake(1)
end
return {1}
