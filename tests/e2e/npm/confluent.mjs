// @confluentinc/schemaregistry against a running server. Arguments: the server's URL, a FileDescriptorSet.

import { readFileSync } from "node:fs";

import { create, createFileRegistry, createMutableRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import client from "@confluentinc/schemaregistry";

import { descriptors, refused, run, same, url } from "./scenarios.mjs";

const { AvroDeserializer, AvroSerializer, JsonDeserializer, JsonSerializer } = client;
const { ProtobufDeserializer, ProtobufSerializer, HeaderSchemaIdSerializer } = client;
const { CelExecutor, CelFieldExecutor, JsonataExecutor, RuleRegistry } = client;
const { Compatibility, RestError, SchemaRegistryClient, SerdeType } = client;

const VALUE = SerdeType.VALUE;
const AUTO = { autoRegisterSchemas: true };
const LATEST = { useLatestVersion: true };
const PLAIN = { id: "1", amount: 2.5 };
const NOTED = { id: "1", amount: 2.5, note: "gift" };
const SALE = { id: "7", customer: { name: "Ada" } };

const fresh = (path = "") => new SchemaRegistryClient({ baseURLs: [url + path] });
const idIn = (payload) => (same(payload[0], 0), payload.readUInt32BE(1));
const coded = (code) => (error) => error instanceof RestError && error.errorCode === code;

const record = (name, fields) => ({ type: "record", namespace: "shop", name, fields });
const object = (title, properties) => ({ title, type: "object", properties, additionalProperties: false });
const ID = { name: "id", type: "string" };
const AMOUNT = { name: "amount", type: "double", currency: "EUR", unit: "cent" };
const TAGGED = { "confluent:tags": ["PII"] };

const AVRO = {
  schemaType: "AVRO",
  Serializer: AvroSerializer,
  Deserializer: AvroDeserializer,
  order: record("Order", [ID, AMOUNT]),
  orderWithNote: record("Order", [ID, AMOUNT, { name: "note", type: "string", default: "" }]),
  orderOtherwiseLaidOut: record("Order", [ID, Object.fromEntries(Object.entries(AMOUNT).reverse())]),
  customer: record("Customer", [{ name: "name", type: "string" }]),
  customerName: "shop.Customer",
  sale: record("Sale", [ID, { name: "customer", type: "shop.Customer" }]),
  person: record("Person", [
    { name: "age", type: "int" },
    { name: "email", type: "string", ...TAGGED },
  ]),
};
const JSON_SCHEMA = {
  schemaType: "JSON",
  Serializer: JsonSerializer,
  Deserializer: JsonDeserializer,
  order: object("Order", { id: { type: "string" }, amount: { type: "number" } }),
  orderWithNote: object("Order", { id: { type: "string" }, amount: { type: "number" }, note: { type: "string" } }),
  orderOtherwiseLaidOut: object("Order", { amount: { type: "number" }, id: { type: "string" } }),
  customer: object("Customer", { name: { type: "string" } }),
  customerName: "customer.json",
  sale: object("Sale", { id: { type: "string" }, customer: { $ref: "customer.json" } }),
  person: object("Person", { age: { type: "integer" }, email: { type: "string", ...TAGGED } }),
};

const info = (format, schema, rest = {}) => ({
  schema: JSON.stringify(schema),
  schemaType: format.schemaType,
  ...rest,
});

// avsc answers instances of classes that it makes up; their content is what counts.
const plain = (value) => JSON.parse(JSON.stringify(value));

async function read(format, topic, payload, conf = {}, headers = undefined) {
  return plain(await new format.Deserializer(fresh(), VALUE, conf).deserialize(topic, payload, headers));
}

function scenariosOf(format) {
  const write = (topic, value, conf, registry = fresh(), rules = undefined) =>
    new format.Serializer(registry, VALUE, conf, rules).serialize(topic, value);

  return {
    async auto_register(topic) {
      // This client registers the schema that it has been told to use: by its subject's latest, or by hand.
      const registered = await fresh().registerFullResponse(`${topic}-value`, info(format, format.order));
      same(registered.version, 1);
      const payload = await write(topic, PLAIN, { useSchemaId: registered.id });
      same(idIn(payload), registered.id);
      same(await read(format, topic, payload), PLAIN);
      const inferred = await write(`${topic}-inferred`, PLAIN, AUTO);
      same(await read(format, `${topic}-inferred`, inferred), PLAIN);
      same(await fresh().getAllVersions(`${topic}-inferred-value`), [1]);
    },

    async use_latest(topic) {
      await fresh().register(`${topic}-value`, info(format, format.order));
      const latest = await fresh().register(`${topic}-value`, info(format, format.orderWithNote));
      const payload = await write(topic, NOTED, LATEST);
      same(idIn(payload), latest);
      same(await read(format, topic, payload, LATEST), NOTED);
    },

    async use_latest_with_metadata(topic) {
      const ids = {};
      for (const [major, schema] of [["1", format.order], ["2", format.orderWithNote]]) {
        const metadata = { properties: { "application.major": major } };
        ids[major] = await fresh().register(`${topic}-value`, info(format, schema, { metadata }));
      }
      for (const [major, value] of [["1", PLAIN], ["2", NOTED]]) {
        const conf = { useLatestWithMetadata: { "application.major": major } };
        const payload = await write(topic, value, conf);
        same(idIn(payload), ids[major]);
        same(await read(format, topic, payload, conf), value);
      }
    },

    async references(topic) {
      const customer = `${topic}/customer`;
      await fresh().register(customer, info(format, format.customer));
      const references = [{ name: format.customerName, subject: customer, version: 1 }];
      const id = await fresh().register(`${topic}-value`, info(format, format.sale, { references }));
      const payload = await write(topic, SALE, LATEST);
      same(idIn(payload), id);
      same(await read(format, topic, payload), SALE);
      await refused(fresh().deleteSubject(customer), coded(42206));
    },

    async normalize(topic) {
      const id = await fresh().register(`${topic}-value`, info(format, format.order), true);
      same(await fresh().register(`${topic}-value`, info(format, format.orderOtherwiseLaidOut), true), id);
      same(await fresh().getId(`${topic}-value`, info(format, format.orderOtherwiseLaidOut), true), id);
      const payload = await write(topic, PLAIN, { ...LATEST, normalizeSchemas: true });
      same(await read(format, topic, payload), PLAIN);
      await fresh().register(`${topic}-value`, info(format, format.orderOtherwiseLaidOut), false);
      same(await fresh().getAllVersions(`${topic}-value`), [1, 2]);
    },

    async evolution(topic) {
      await fresh().register(`${topic}-value`, info(format, format.order));
      const payload = await write(topic, PLAIN, LATEST);
      await fresh().register(`${topic}-value`, info(format, format.orderWithNote));
      const expected = format === AVRO ? { ...PLAIN, note: "" } : PLAIN;
      same(await read(format, topic, payload, LATEST), expected);
      same(await read(format, topic, payload), PLAIN);
    },

    async guid_in_header(topic) {
      await fresh().register(`${topic}-value`, info(format, format.order));
      const headers = {};
      const conf = { ...LATEST, schemaIdSerializer: HeaderSchemaIdSerializer };
      const payload = await new format.Serializer(fresh(), VALUE, conf).serialize(topic, PLAIN, headers);
      same([headers.__value_schema_id[0], headers.__value_schema_id.length], [1, 17]);
      same(await read(format, topic, payload, {}, headers), PLAIN);
    },

    async cel_rules(topic) {
      const rules = new RuleRegistry();
      rules.registerExecutor(new CelExecutor());
      rules.registerExecutor(new CelFieldExecutor());
      const ruleSet = {
        domainRules: [
          { name: "adult", kind: "CONDITION", mode: "WRITE", type: "CEL", expr: "message.age >= 18" },
          { name: "mask", kind: "TRANSFORM", mode: "WRITE", type: "CEL_FIELD", tags: ["PII"], expr: "value + '#'" },
        ],
      };
      await fresh().register(`${topic}-value`, info(format, format.person, { ruleSet }));
      const payload = await write(topic, { age: 36, email: "ada@example.org" }, LATEST, fresh(), rules);
      same(await read(format, topic, payload), { age: 36, email: "ada@example.org#" });
      const child = write(topic, { age: 17, email: "a@example.org" }, LATEST, fresh(), rules);
      await refused(child, (error) => error.message.includes("adult") || error.message.includes("message.age >= 18"));
    },
  };
}

const files = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(descriptors)));
const Order = files.getMessage("e2e.shop.Order");
const Attempt = files.getMessage("e2e.shop.Envelope.Attempt");
const order = () =>
  create(Order, {
    id: "1",
    total: { currency: "EUR", minorUnits: 250n },
    placed: { seconds: 1700000000n, nanos: 5 },
    state: 1,
    quantities: { tea: 2 },
    contact: { case: "email", value: "ada@example.org" },
    coupon: "",
  });

const protobuf = (conf, registry = fresh(), rules = undefined) =>
  new ProtobufSerializer(registry, VALUE, { registry: createMutableRegistry(Order, Attempt), ...conf }, rules);

async function readProtobuf(topic, payload, conf = {}, headers = undefined) {
  return new ProtobufDeserializer(fresh(), VALUE, conf).deserialize(topic, payload, headers);
}

const PROTOBUF = {
  async auto_register(topic) {
    const payload = await protobuf(AUTO).serialize(topic, order());
    same([...payload.subarray(5, 7)], [2, 2]);
    same(await readProtobuf(topic, payload), order());
    const stored = await fresh().getLatestSchemaMetadata(`${topic}-value`);
    same(stored.references, [{ name: "e2e_shop/money.proto", subject: "e2e_shop/money.proto", version: 1 }]);
    same(stored.schema.includes("message Order {"), true);
    same(await protobuf(AUTO).serialize(topic, order()), payload);
  },

  async nested_message(topic) {
    const payload = await protobuf(AUTO).serialize(topic, create(Attempt, { number: 7 }));
    same([...payload.subarray(5, 8)], [4, 0, 0]);
    same((await readProtobuf(topic, payload)).number, 7);
  },

  async lookup(topic) {
    const payload = await protobuf(AUTO).serialize(topic, order());
    same(await protobuf({ autoRegisterSchemas: false }).serialize(topic, order()), payload);
    await refused(protobuf({}).serialize(`${topic}-none`, order()), (error) => /40401/.test(error.message));
  },

  async use_latest(topic) {
    const payload = await protobuf(AUTO).serialize(topic, order());
    same(await protobuf(LATEST).serialize(topic, order()), payload);
    same(await readProtobuf(topic, payload, LATEST), order());
  },

  async normalize(topic) {
    const payload = await protobuf({ ...AUTO, normalizeSchemas: true }).serialize(topic, order());
    same(await protobuf({ normalizeSchemas: true }).serialize(topic, order()), payload);
    same(await readProtobuf(topic, payload), order());
  },

  async guid_in_header(topic) {
    const headers = {};
    const conf = { ...AUTO, schemaIdSerializer: HeaderSchemaIdSerializer };
    const payload = await protobuf(conf).serialize(topic, order(), headers);
    same(headers.__value_schema_id[0], 1);
    same(await readProtobuf(topic, payload, {}, headers), order());
  },

  async cel_rules(topic) {
    const rules = new RuleRegistry();
    rules.registerExecutor(new CelFieldExecutor());
    await protobuf(AUTO).serialize(topic, order());
    const { schema, schemaType, references } = await fresh().getLatestSchemaMetadata(`${topic}-value`);
    const mask = { name: "mask", kind: "TRANSFORM", mode: "WRITE", type: "CEL_FIELD", tags: ["PII"] };
    const ruleSet = { domainRules: [{ ...mask, expr: "value + '#'" }] };
    await fresh().register(`${topic}-value`, { schema, schemaType, references, ruleSet });
    const payload = await protobuf(LATEST, fresh(), rules).serialize(topic, order());
    same((await readProtobuf(topic, payload)).contact.value, "ada@example.org#");
  },
};

const ADMIN = {
  async subjects_and_versions(subject) {
    const registry = fresh();
    const schema = { schema: '"int"' };
    const { id, guid } = await registry.registerFullResponse(subject, schema);
    await registry.register(subject, { schema: '"long"' });
    same(await registry.getAllVersions(subject), [1, 2]);
    same((await registry.getAllSubjects()).includes(subject), true);
    same((await registry.getBySubjectAndId(subject, id)).schema, '"int"');
    same((await registry.getByGuid(guid)).schema, '"int"');
    same((await registry.getSchemaMetadata(subject, 1)).id, id);
    same(await registry.getVersion(subject, schema), 1);
    same(await registry.deleteSubjectVersion(subject, 1), 1);
    same(await registry.deleteSubject(subject), [2]);
    same(await registry.deleteSubject(subject, true), [1, 2]);
    await refused(fresh().getLatestSchemaMetadata(subject), coded(40401));
  },

  async compatibility_and_config(subject) {
    const registry = fresh();
    await registry.register(subject, { schema: '"int"' });
    same(await registry.testSubjectCompatibility(subject, { schema: '"string"' }), false);
    same(await registry.testCompatibility(subject, 1, { schema: '"long"' }), true);
    await refused(registry.register(subject, { schema: '"string"' }), (error) => error.status === 409);
    await refused(registry.getCompatibility(subject), coded(40408));
    same(await registry.updateCompatibility(subject, Compatibility.NONE), "NONE");
    same(await registry.getCompatibility(subject), "NONE");
    same((await registry.updateConfig(subject, { compatibility: "FULL", normalize: true })).compatibility, "FULL");
    same(await registry.getConfig(subject), { compatibilityLevel: "FULL", normalize: true });
    same(await registry.getDefaultCompatibility(), "BACKWARD");
    same((await registry.getDefaultConfig()).compatibilityLevel, "BACKWARD");
    same(await registry.getAssociationsByResourceName(subject, "-", "topic", ["value"], null, 0, -1), []);
  },

  async migration_rules(topic) {
    const rules = new RuleRegistry();
    rules.registerExecutor(new JsonataExecutor());
    const registry = fresh();
    await registry.updateCompatibility(`${topic}-value`, Compatibility.NONE);
    const old = record("Person", [{ name: "fullName", type: "string" }]);
    const renamed = record("Person", [{ name: "name", type: "string" }]);
    const rename = { name: "rename", kind: "TRANSFORM", mode: "UPGRADE", type: "JSONATA", expr: "{'name': fullName}" };
    await registry.register(`${topic}-value`, info(AVRO, old));
    const payload = await new AvroSerializer(fresh(), VALUE, LATEST).serialize(topic, { fullName: "Ada" });
    await registry.register(`${topic}-value`, info(AVRO, renamed, { ruleSet: { migrationRules: [rename] } }));
    const reader = new AvroDeserializer(fresh(), VALUE, LATEST, rules);
    same(plain(await reader.deserialize(topic, payload)), { name: "Ada" });
  },

  async a_context_in_the_url(topic) {
    const inside = fresh("/contexts/.npm");
    same(await inside.register(topic, { schema: '"string"' }), 1);
    same((await fresh().getAllSubjects()).includes(`:.npm:${topic}`), true);
  },
};

const named = (prefix, scenarios) =>
  Object.fromEntries(Object.entries(scenarios).map(([name, play]) => [`${prefix}_${name}`, play]));

await run({
  ...named("avro", scenariosOf(AVRO)),
  ...named("json", scenariosOf(JSON_SCHEMA)),
  ...named("protobuf", PROTOBUF),
  ...named("client", ADMIN),
});
