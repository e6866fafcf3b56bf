-- state.lua: what became of a task. ARGV: id, suffix or '' to begin, entry to go on after.
-- Returns {state, ms its result is kept, result}, or {-1, suffix, entry} to go on.
local id = ARGV[1]
local function dead()
    local from = '-'
    while true do
        local some = redis.call('XRANGE', T .. ':x', from, '+', 'COUNT', 500)
        for _, entry in ipairs(some) do
            local header = field(entry[2], 'h')
            if header and string.sub(header, 1, 32) == id then return true end
        end
        if #some < 500 then return false end
        from = '(' .. some[#some][1]
    end
end
if ARGV[2] == '' then
    local result = redis.call('GET', T .. ':r:' .. id)
    if result then return {3, redis.call('PTTL', T .. ':r:' .. id), result} end
    if redis.call('ZSCORE', T .. ':d', id) then return {1, 0} end
    if dead() then return {5, 0} end
end
local budget, begun = 2000, ARGV[2] == ''
for _, suffix in ipairs(suffixes()) do
    local from = '-'
    if suffix == ARGV[2] then begun, from = true, '(' .. ARGV[3] end
    local stream = T .. ':s:' .. suffix
    while begun do
        if budget <= 0 then return {-1, suffix, from == '-' and '0-0' or string.sub(from, 2)} end
        local some = redis.call('XRANGE', stream, from, '+', 'COUNT', 200)
        for _, entry in ipairs(some) do
            local header = field(entry[2], 'h')
            if header and string.sub(header, 1, 32) == id then
                local held = redis.pcall('XPENDING', stream, GROUP, entry[1], entry[1], 1)
                return {(held.err or #held == 0) and 1 or 2, 0}
            end
        end
        budget = budget - 200
        if #some < 200 then break end
        from = '(' .. some[#some][1]
    end
end
local gone = redis.call('GET', T .. ':g:' .. id)
return {tonumber(gone or 0), gone and redis.call('PTTL', T .. ':g:' .. id) or 0}
