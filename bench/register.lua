-- Registers a new schema with every request: 32 subjects in turn, each with ten versions before the next 32 come, so
-- that every check has a version to read, and 32 clients do not wait for each other's subject.
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
  local number = math.floor(count / 320) * 32 + count % 32
  local version = math.floor(count / 32) % 10
  local subject = string.format("bench-%d-%d-value", id, number)
  local fields = {}
  for index = 0, version do
    fields[#fields + 1] = string.format(
      '{\\"name\\":\\"f%d\\",\\"type\\":[\\"null\\",\\"string\\"],\\"default\\":null}', index)
  end
  local body = string.format(
    '{"schema":"{\\"type\\":\\"record\\",\\"name\\":\\"R%d_%d\\",\\"fields\\":[%s]}"}',
    id, number, table.concat(fields, ","))
  count = count + 1
  return wrk.format("POST", "/subjects/" .. subject .. "/versions", nil, body)
end
