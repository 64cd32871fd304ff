-- Reads ids at random out of as many as BENCH_IDS says.
dofile("report.lua")

local ids = tonumber(os.getenv("BENCH_IDS"))

function init(_)
  math.randomseed(7)
end

function request()
  return wrk.format("GET", "/schemas/ids/" .. math.random(1, ids))
end
