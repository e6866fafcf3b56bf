-- state.lua
return {}
