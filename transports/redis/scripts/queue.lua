-- queue.lua
return {}
