-- queue.lua: an operator's view. ARGV: what, value.
--   busy: {1 if it holds something, has workers, or is not open; limit}
--   purge: {count, 1 if there is more}: a stretch of what waits
--   get: {state, limit}    set, limit: {1}; every worker is told
local what = ARGV[1]
if what == 'get' then
    local set = redis.call('HMGET', T .. ':m', 's', 'l')
    return {tonumber(set[1] or 0), tonumber(set[2] or 0)}
elseif what == 'set' or what == 'limit' then
    -- what is as it was at first is not kept: of a queue that is not used nothing is left
    local name = what == 'set' and 's' or 'l'
    if ARGV[2] == '0' then redis.call('HDEL', T .. ':m', name) else redis.call('HSET', T .. ':m', name, ARGV[2]) end
    redis.call('DEL', T .. ':h') -- every one of them looks, and is noted anew if it has to wait
    tell_all('s')
    return {1}
elseif what == 'busy' then
    local count = redis.call('ZCARD', T .. ':d') + redis.call('XLEN', T .. ':x') +
                  redis.call('ZCOUNT', T .. ':c', num(clock()), '+inf')
    for _, suffix in ipairs(suffixes()) do count = count + redis.call('XLEN', T .. ':s:' .. suffix) end
    local set = redis.call('HMGET', T .. ':m', 's', 'l')
    if (set[1] or '0') ~= '0' then count = count + 1 end
    return {count > 0 and 1 or 0, tonumber(set[2] or 0)}
end
local count, budget, why = 0, 2000, 'the queue was purged'
for _, id in ipairs(redis.call('ZRANGE', T .. ':d', 0, budget - 1)) do
    local e = take_delayed(id)
    if e then farewell(e, why) end
    count = count + 1
end
for _, suffix in ipairs(suffixes()) do
    local stream = T .. ':s:' .. suffix
    local last = last_taken(stream)
    while count < budget do
        local some = redis.call('XRANGE', stream, '(' .. last, '+', 'COUNT', 200)
        for _, entry in ipairs(some) do
            local e = read(field(entry[2], 'h'))
            count = count + redis.call('XDEL', stream, entry[1])
            if e then farewell(e, why) end
        end
        if #some < 200 then break end
    end
end
return {count, count >= budget and 1 or 0}
