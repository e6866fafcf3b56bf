-- special.lua: add one task with a delay or a dedup key, or one that enqueue.lua had no room for.
-- ARGV: max_queued, reply ('' none), reply_ttl_ms, header, body, delay_ms, window_ms, conflict, max_dead,
-- dead_ttl_ms.
-- Returns {1} taken, {2, original, 1 if an answer will come} a duplicate, {0} full, {-2} nothing is accepted.
local function find(id, suffix, entry)
    if suffix == 'd' then return redis.call('ZSCORE', T .. ':d', id) end
    return suffix and suffix ~= '-' and redis.call('XRANGE', T .. ':s:' .. suffix, entry, entry)[1]
end

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
        if ARGV[8] ~= '1' or e.reply == '-' then return {2, id, 0} end
        local done = redis.call('GET', T .. ':r:' .. id)
        if done then
            answer(e.reply, e.id, done)
        elseif not find(id, suffix, entry) then
            return {2, id, 0} -- it has gone, and left no answer
        else
            redis.call('RPUSH', T .. ':j:' .. id, e.reply .. ' ' .. e.id .. (is_quiet(e) and ' q' or ''))
            redis.call('PEXPIRE', T .. ':j:' .. id, math.max(window, 60000))
        end
        return {2, id, 1}
    end
    -- replace: what waits goes
    local found, gone = find(id, suffix, entry), nil
    if found and suffix == 'd' then
        gone = take_delayed(id)
    elseif found and #redis.pcall('XPENDING', T .. ':s:' .. suffix, GROUP, entry, entry, 1) == 0 then
        redis.call('XDEL', T .. ':s:' .. suffix, entry)
        gone = read(field(found[2], 'h'))
    elseif found then
        return {2, id, 0} -- it runs, and is the one
    end
    if gone then farewell(gone, 'another task with the same dedup key replaced it') end
elseif record then
    return {1} -- the same task, sent again after a lost answer
end
if redis.call('XLEN', stream) >= tonumber(ARGV[1]) then
    drop_late(stream, clock(), tonumber(ARGV[9]), tonumber(ARGV[10]))
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
