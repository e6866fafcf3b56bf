-- fetch.lua: take tasks in order: what came back first, then by priority.
-- ARGV: owner, most. Returns {clock, {suffix, entries} ...}.
local most = tonumber(ARGV[2])
local meta = redis.call('HMGET', T .. ':m', 's', 'l')
local out = {clock()}
if meta[1] == '1' then return out end
local list = suffixes()
local limit = tonumber(meta[2] or 0)
if limit > 0 then
    for _, suffix in ipairs(list) do
        local held = redis.pcall('XPENDING', T .. ':s:' .. suffix, GROUP)
        if not held.err then limit = limit - held[1] end
    end
    most = math.min(most, limit)
end
for _, suffix in ipairs(list) do
    if most <= 0 then break end
    local stream = T .. ':s:' .. suffix
    local got = redis.call('XREADGROUP', 'GROUP', GROUP, ARGV[1], 'COUNT', most, 'STREAMS', stream, '>')
    if got and got[1] then
        out[#out + 1] = {suffix, got[1][2]}
        most = most - #got[1][2]
    end
end
return out
