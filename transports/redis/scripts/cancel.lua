-- cancel.lua: look for one task among 2000 entries. ARGV: id, suffix or '' to begin, entry to go on after,
-- owner who asks.
-- Returns {1} removed, {2} its worker is told, {3} not here, or {0, suffix, entry} to go on.
local id = ARGV[1]
local why = 'it was cancelled by somebody else'
if ARGV[2] == '' and redis.call('ZSCORE', T .. ':d', id) then
    local e = take_delayed(id)
    if e then farewell(e, why, ARGV[4]) end
    return {1}
end
local budget, begun = 2000, ARGV[2] == ''
for _, suffix in ipairs(suffixes()) do
    local from = '-'
    if suffix == ARGV[2] then begun, from = true, '(' .. ARGV[3] end
    local stream = T .. ':s:' .. suffix
    while begun do
        if budget <= 0 then return {0, suffix, from == '-' and '0-0' or string.sub(from, 2)} end
        local some = redis.call('XRANGE', stream, from, '+', 'COUNT', 200)
        for _, entry in ipairs(some) do
            local header = field(entry[2], 'h')
            if header and string.sub(header, 1, 32) == id then
                local held = redis.pcall('XPENDING', stream, GROUP, entry[1], entry[1], 1)
                if held.err or #held == 0 then
                    local e = read(header)
                    redis.call('XDEL', stream, entry[1])
                    if e then farewell(e, why, ARGV[4]) end
                    return {1}
                end
                tell(held[1][2], 'c ' .. id)
                return {2}
            end
        end
        budget = budget - 200
        if #some < 200 then break end
        from = '(' .. some[#some][1]
    end
end
return {3}
