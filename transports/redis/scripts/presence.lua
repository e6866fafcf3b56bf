-- presence.lua: who is there. KEYS[1] is the queue without a name. ARGV: what, owner, ttl_ms, info.
-- set, del; list: {{owner, seen ms ago, info} ...}
local now, all = clock(), T .. ':p'
if ARGV[1] == 'set' then
    redis.call('ZADD', all, num(now), ARGV[2])
    redis.call('SET', T .. ':i:' .. ARGV[2], ARGV[4], 'PX', ARGV[3])
    redis.call('PEXPIRE', all, num(ARGV[3] * 4))
    return 1
elseif ARGV[1] == 'del' then
    redis.call('ZREM', all, ARGV[2])
    redis.call('DEL', T .. ':i:' .. ARGV[2])
    return 1
end
local out = {}
for i, owner in ipairs(redis.call('ZRANGE', all, 0, -1)) do
    local info = redis.call('GET', T .. ':i:' .. owner)
    if info then
        out[#out + 1] = {owner, math.max(0, now - redis.call('ZSCORE', all, owner)), info}
    else
        redis.call('ZREM', all, owner)
    end
end
return out
