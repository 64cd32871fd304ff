// @kafkajs/confluent-schema-registry against a running server. Argument: the server's URL.

import client from "@kafkajs/confluent-schema-registry";

import { refused, run, same, url } from "./scenarios.mjs";

const { COMPATIBILITY, SchemaRegistry, SchemaType } = client;
const { AVRO, JSON: JSON_SCHEMA, PROTOBUF } = SchemaType;

const fresh = (options = undefined) => new SchemaRegistry({ host: url }, options);
const plain = (value) => JSON.parse(JSON.stringify(value));

const record = (name, fields) => ({ type: "record", namespace: "kafkajs", name, fields });
const ID = { name: "id", type: "string" };
const PLAIN = { id: "1", amount: 2.5 };
const ORDER = {
  [AVRO]: JSON.stringify(record("Order", [ID, { name: "amount", type: "double" }])),
  [JSON_SCHEMA]: JSON.stringify({ type: "object", properties: { id: { type: "string" }, amount: { type: "number" } } }),
  [PROTOBUF]: 'syntax = "proto3"; package kafkajs; message Order { string id = 1; double amount = 2; }',
};
// Each refers to what stands before it in the list: its name there, and its text.
const REFERENCES = {
  [AVRO]: {
    name: "kafkajs.City",
    text: JSON.stringify(record("City", [{ name: "name", type: "string" }])),
    referrer: JSON.stringify(record("Home", [{ name: "city", type: "kafkajs.City" }])),
  },
  [JSON_SCHEMA]: {
    name: "https://example.org/city.json",
    text: JSON.stringify({ $id: "https://example.org/city.json", type: "object", required: ["name"] }),
    referrer: JSON.stringify({
      $id: "https://example.org/home.json",
      type: "object",
      properties: { city: { $ref: "https://example.org/city.json" } },
    }),
  },
  [PROTOBUF]: {
    name: "city.proto",
    text: 'syntax = "proto3"; package kafkajs; message City { string name = 1; }',
    referrer: 'syntax = "proto3"; package kafkajs; import "city.proto"; message Home { City city = 1; }',
  },
};

function scenariosOf(type) {
  return {
    async round_trip(subject) {
      const registry = fresh();
      const { id } = await registry.register({ type, schema: ORDER[type] }, { subject });
      const payload = await registry.encode(id, PLAIN);
      same([payload[0], payload.readUInt32BE(1)], [0, id]);
      same(plain(await registry.decode(payload)), PLAIN);
      const other = fresh();
      same(plain(await other.decode(payload)), PLAIN);
      same(await other.encode(id, PLAIN), payload);
      same((await fresh().register({ type, schema: ORDER[type] }, { subject })).id, id);
    },

    async ids(subject) {
      const registry = fresh();
      const { id } = await registry.register({ type, schema: ORDER[type] }, { subject });
      same(await registry.getLatestSchemaId(subject), id);
      same(await registry.getRegistryId(subject, 1), id);
      same(await registry.getRegistryId(subject, "latest"), id);
      same(await registry.getRegistryIdBySchema(subject, { type, schema: ORDER[type] }), id);
      const unknown = { type, schema: REFERENCES[type].text };
      await refused(registry.getRegistryIdBySchema(subject, unknown), (error) => error.name.startsWith("Confluent"));
    },

    async references(subject) {
      const { name, text, referrer } = REFERENCES[type];
      const registry = fresh();
      await registry.register({ type, schema: text }, { subject: `${subject}-city` });
      const references = [{ name, subject: `${subject}-city`, version: 1 }];
      const { id } = await registry.register({ type, schema: referrer, references }, { subject });
      const home = { city: { name: "Riga" } };
      const payload = await registry.encode(id, home);
      same(plain(await fresh().decode(payload)), home);
      same(await fresh().encode(id, home), payload);
    },
  };
}

const ONLY_AVRO = {
  async the_name_is_the_subject() {
    const schema = record("Named", [ID]);
    const { id } = await fresh().register(schema, { compatibility: COMPATIBILITY.NONE });
    same(await fresh().getLatestSchemaId("kafkajs.Named"), id);
    await refused(fresh().register(schema), (error) => /Compatibility does not match/.test(error.message));
  },

  async a_reader_of_the_next_version(subject) {
    const registry = fresh();
    const { id } = await registry.register({ type: AVRO, schema: ORDER[AVRO] }, { subject });
    const payload = await registry.encode(id, PLAIN);
    const newer = JSON.parse(ORDER[AVRO]);
    newer.fields.push({ name: "note", type: "string", default: "" });
    same(plain(await fresh().decode(payload, { [AVRO]: { readerSchema: newer } })), { ...PLAIN, note: "" });
    const next = await registry.register({ type: AVRO, schema: JSON.stringify(newer) }, { subject });
    same((await registry.getRegistryId(subject, 2)) === next.id, true);
  },

  async what_breaks_readers_is_refused(subject) {
    await fresh().register({ type: AVRO, schema: ORDER[AVRO] }, { subject });
    const other = JSON.stringify(record("Order", [{ name: "id", type: "int" }]));
    await refused(fresh().register({ type: AVRO, schema: other }, { subject }), (error) => error.status === 409);
  },
};

const named = (prefix, scenarios) =>
  Object.fromEntries(
    Object.entries(scenarios).map(([name, play]) => [
      `${prefix}_${name}`,
      (scenario) => play(`kafkajs-${scenario}`),
    ]),
  );

await run({
  ...named("avro", scenariosOf(AVRO)),
  ...named("avro", ONLY_AVRO),
  ...named("json", scenariosOf(JSON_SCHEMA)),
  ...named("protobuf", scenariosOf(PROTOBUF)),
});
