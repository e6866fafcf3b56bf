-- dead.lua
return {}
