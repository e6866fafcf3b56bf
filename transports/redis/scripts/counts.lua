-- counts.lua: the true numbers of one queue, at one moment.
-- Returns {ready, leased, delayed, dead, consumers, age of the oldest ready one in ms}.
local now, ready, leased, age = clock(), 0, 0, 0
for _, suffix in ipairs(suffixes()) do
    local stream = T .. ':s:' .. suffix
    local length, held, last = redis.call('XLEN', stream), 0, '0-0'
    local groups = redis.pcall('XINFO', 'GROUPS', stream)
    if not groups.err and groups[1] then
        held, last = field(groups[1], 'pending'), field(groups[1], 'last-delivered-id')
    end
    ready = ready + length - held
    leased = leased + held
    if length > held then
        local first = redis.call('XRANGE', stream, '(' .. last, '+', 'COUNT', 1)[1]
        local e = first and read(field(first[2], 'h'))
        if first then age = math.max(age, now - (e and e.accepted > 0 and e.accepted or entry_ms(first[1]))) end
    end
end
return {ready, leased, redis.call('ZCARD', T .. ':d'), redis.call('XLEN', T .. ':x'),
        redis.call('ZCOUNT', T .. ':c', num(now), '+inf'), age}
