-- promote.lua: what is due goes to its stream. ARGV: most.
-- Returns {clock, ms until the next one or -1}.
local now = clock()
local due = promote(now, tonumber(ARGV[1]))
wake(queued)
return {now, due}
