-- leave.lua: an orderly goodbye. ARGV: owner. What it still holds goes to the front, uncharged where
-- it was not started. Returns how many that were.
local owner, count, now = ARGV[1], 0, clock()
for _, suffix in ipairs(suffixes()) do
    local stream = T .. ':s:' .. suffix
    local pending = redis.pcall('XPENDING', stream, GROUP, '-', '+', 10000, owner)
    if not pending.err then
        for _, held in ipairs(pending) do
            local found = redis.call('XRANGE', stream, held[1], held[1])[1]
            redis.call('XACK', stream, GROUP, held[1])
            redis.call('XDEL', stream, held[1])
            local e = found and read(field(found[2], 'h'))
            if e then
                grow_older(e, entry_ms(held[1]), now)
                e.deliveries = e.deliveries + 1
                if held[4] >= 1000 then
                    e.crashes = e.crashes + 1
                    give_up(e, field(found[2], 'b') or '', 'claimed', owner, 10000)
                else
                    queue_up(e, field(found[2], 'b') or '', 'f')
                end
                count = count + 1
            end
        end
        redis.call('XGROUP', 'DELCONSUMER', stream, GROUP, owner)
    end
end
redis.call('ZREM', T .. ':w', owner)
redis.call('ZREM', T .. ':c', owner)
redis.call('SREM', T .. ':h', owner)
redis.call('HDEL', T .. ':m', 'z:' .. owner)
redis.call('DEL', T .. ':n:' .. owner, T .. ':a:' .. owner, T .. ':i:' .. owner)
wake(count + 1) -- one more, for it may have been told to look
return count
