-- Registers a new schema with every request: its own subject each ten requests, so that the check has versions to read.
dofile("report.lua")

local thread_count = 0

function setup(thread)
  thread_count = thread_count + 1
  thread:set("id", thread_count)
end

function init(_)
  count = 0
  wrk.headers["Content-Type"] = "application/json"
end

function request()
  local subject = string.format("bench-%d-%d-value", id, math.floor(count / 10))
  local fields = {}
  for index = 0, count % 10 do
    fields[#fields + 1] = string.format(
      '{\\"name\\":\\"f%d\\",\\"type\\":[\\"null\\",\\"string\\"],\\"default\\":null}', index)
  end
  local body = string.format(
    '{"schema":"{\\"type\\":\\"record\\",\\"name\\":\\"R%d_%d\\",\\"fields\\":[%s]}"}',
    id, math.floor(count / 10), table.concat(fields, ","))
  count = count + 1
  return wrk.format("POST", "/subjects/" .. subject .. "/versions", nil, body)
end
