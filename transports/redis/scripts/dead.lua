-- dead.lua: dead letters. ARGV: what (list, get, retry, drop), id or '', after or '', most, max_queued.
-- list: {{id, task, attempts, crashes, dead for ms, cause} ...}, get: one, with its body.
-- retry, drop: {count, 1 if the queue is full, 1 if there is more}. NOT_FOUND: {-1}.
local what, id, after, most = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local dead, now = T .. ':x', clock()

-- An entry that is none of ours has no id but its place.
local function look(entry)
    local e = read(field(entry[2], 'h'))
    if e then return e end
    local ms, seq = string.match(entry[1], '^(%d+)-(%d+)$')
    return {id = string.format('%016x%016x', tonumber(ms), tonumber(seq)), task = '', attempt = 0, crashes = 0,
            foreign = true}
end

local function tell_of(entry, e, body)
    local out = {e.id, e.task, e.attempt, e.crashes, math.max(0, now - entry_ms(entry[1])), field(entry[2], 'c') or ''}
    if body then out[7] = field(entry[2], 'b') or '' end
    return out
end

local function find(wanted)
    local from = '-'
    while true do
        local some = redis.call('XRANGE', dead, from, '+', 'COUNT', 500)
        for _, entry in ipairs(some) do
            local e = look(entry)
            if e.id == wanted then return entry, e end
        end
        if #some < 500 then return nil end
        from = '(' .. some[#some][1]
    end
end

local function revive(entry, e)
    if e.foreign then return true end
    local stream = T .. ':s:' .. e.priority
    if redis.call('XLEN', stream) >= tonumber(ARGV[5]) then return false end
    e.attempt, e.crashes, e.losses, e.ttl, e.accepted = 1, 0, 0, 0, 0
    e.deliveries, e.reply, e.dedup = e.deliveries + 1, '-', '-'
    e.flags = num(bit.band(tonumber(e.flags), 200))
    group(stream)
    queue_up(e, field(entry[2], 'b') or '', e.priority)
    redis.call('XDEL', dead, entry[1])
    return true
end

if what == 'list' then
    local from, out = '-', {}
    if after ~= '' then
        local entry = find(after)
        if not entry then return {-1} end
        from = '(' .. entry[1]
    end
    for _, entry in ipairs(redis.call('XRANGE', dead, from, '+', 'COUNT', most)) do
        out[#out + 1] = tell_of(entry, look(entry))
    end
    return out
end
if id ~= '' then
    local entry, e = find(id)
    if not entry then return {-1} end
    if what == 'get' then return tell_of(entry, e, true) end
    if what == 'drop' then
        if not e.foreign then remember(e, GONE_DEAD, true) end
        return {redis.call('XDEL', dead, entry[1]), 0, 0}
    end
    if e.foreign then return {-2} end
    local back = revive(entry, e)
    wake(queued)
    return back and {1, 0, 0} or {0, 1, 0}
end
local count, from = 0, after ~= '' and '(' .. after or '-'
local some = redis.call('XRANGE', dead, from, '+', 'COUNT', 500)
for _, entry in ipairs(some) do
    local e = look(entry)
    if what == 'drop' then
        if not e.foreign then remember(e, GONE_DEAD) end
        count = count + redis.call('XDEL', dead, entry[1])
    else
        if not revive(entry, e) then
            wake(queued)
            return {count, 1, 0}
        end
        if not e.foreign then count = count + 1 end
    end
    from = entry[1]
end
wake(queued)
return {count, 0, #some == 500 and 1 or 0, from}
