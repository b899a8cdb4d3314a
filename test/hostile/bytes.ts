// What strangers may send. One row a line: a name, and the bytes or the text.
import { randomBytes } from "node:crypto";
import { writeMessagePack } from "../../src/node/message-pack/writer.ts";

const upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13";
const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
const token = "Authorization: Bearer a-token-for-tests-only";

/** What is sent over TCP to a port before anything else; `HOST` becomes its address. */
// biome-ignore format: one row a line
export const requests: readonly (readonly [name: string, bytes: string | Buffer])[] = [
  ["nothing", ""],
  ["no HTTP", Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01])],
  ["zeros", Buffer.alloc(20_000)],
  ["half a request", "GET / HTTP/1.1\r\nHost: HOST\r\nConn"],
  ["a header of 1 MB", `GET / HTTP/1.1\r\nHost: HOST\r\nX: ${"x".repeat(1_000_000)}\r\n\r\n`],
  ["a path of nothing but escapes", "GET /%%%00%ff/../..//socket HTTP/1.1\r\nHost: HOST\r\n\r\n"],
  ["no Host", "GET /socket/websocket HTTP/1.1\r\n\r\n"],
  ["an unknown upgrade", "GET /socket/websocket HTTP/1.1\r\nHost: HOST\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"],
  ["an upgrade to nowhere", `GET /nowhere HTTP/1.1\r\nHost: HOST\r\n${upgrade}\r\n${key}\r\n\r\n`],
  ["an upgrade to no path", `GET * HTTP/1.1\r\nHost: HOST\r\n${upgrade}\r\n${key}\r\n\r\n`],
  ["an upgrade to no URL", `GET http://[ HTTP/1.1\r\nHost: HOST\r\n${upgrade}\r\n${key}\r\n\r\n`],
  ["an upgrade without a key", `GET /socket/websocket?vsn=2.0.0 HTTP/1.1\r\nHost: HOST\r\n${upgrade}\r\n\r\n`],
  ["an upgrade of an unknown vsn", `GET /socket/websocket?vsn=__proto__ HTTP/1.1\r\nHost: HOST\r\n${upgrade}\r\n${key}\r\n\r\n`],
  ["an upgrade with a hostile query", `GET /socket/websocket?vsn=2.0.0&${"a[b]".repeat(900)}=1&__proto__[x]=1&a=%ff%00 HTTP/1.1\r\nHost: HOST\r\n${upgrade}\r\n${key}\r\n\r\n`],
  ["an upgrade by POST with a body", `POST /socket/websocket?vsn=2.0.0 HTTP/1.1\r\nHost: HOST\r\n${upgrade}\r\n${key}\r\nContent-Length: 3\r\n\r\nabc`],
  ["an upgrade and bytes that are no frame", `GET /socket/websocket?vsn=2.0.0 HTTP/1.1\r\nHost: HOST\r\n${upgrade}\r\n${key}\r\n\r\n${"\xff".repeat(500)}`],
  ["a node's upgrade without anything", `GET /node HTTP/1.1\r\nHost: HOST\r\n${upgrade}\r\n${key}\r\n\r\n`],
  ["a body that never ends", "POST /x HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\nabc"],
  ["an admin request that is no JSON", `POST /call HTTP/1.1\r\nHost: HOST\r\n${token}\r\nContent-Length: 3\r\n\r\n{{{`],
  ["an admin request in 100 000 lists", adminRequest("/inspect-request", "[".repeat(100_000) + "]".repeat(100_000))],
  ["an admin request whose args are in 5 000 lists", adminRequest("/inspect-request", `{"service":"s","requestType":"thread","args":{"spec":${"[".repeat(5_000)}${"]".repeat(5_000)}}}`)],
];

function adminRequest(path: string, body: string): string {
  return `POST ${path} HTTP/1.1\r\nHost: HOST\r\n${token}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

/** What is sent as a message over an open WebSocket, of a client or a node. */
// biome-ignore format: one row a line
export const messages: readonly (readonly [name: string, message: string | Buffer])[] = [
  ["nothing", ""],
  ["no bytes", Buffer.alloc(0)],
  ["no JSON", "{{{"],
  ["a number", "1e999"],
  ["a list of nothing", "[]"],
  ["lists in lists", "[".repeat(400_000)],
  ["closed lists in lists", "[".repeat(400_000) + "]".repeat(400_000)],
  ["commas", `["1","1","api:calm","api",${",".repeat(900_000)}`],
  ["a ref that is an object", '["1",{},"api:calm","api",{}]'],
  ["a topic that is a list", '["1","1",[],"api",{}]'],
  ["a topic named __proto__", '["1","1","__proto__","phx_join",{}]'],
  ["an event named constructor", '["1","1","api:calm","constructor",{}]'],
  ["a request in 100 000 lists", `["1","1","api:calm","api",{"service":"s","request_type":"thread","request_id":"1","args":{"spec":${"[".repeat(100_000)}${"]".repeat(100_000)}}}]`],
  ["a request for a permission callback with args in 100 000 lists", `["1","1","api:calm","api",{"service":"s","request_type":"permission_thread","request_id":"1","args":{"spec":{"row":0},"deep":${"[".repeat(100_000)}${"]".repeat(100_000)}}}]`],
  ["a request with a hook and args in 100 000 lists", `["1","1","api:calm","api",{"service":"s","request_type":"before","request_id":"1","args":{"spec":{"row":0},"deep":${"[".repeat(100_000)}${"]".repeat(100_000)}}}]`],
  ["a request for a node's callback with args in 100 000 lists", `["1","1","api:calm","api",{"service":"n","request_type":"node_permission","request_id":"1","args":{"spec":{"row":0},"deep":${"[".repeat(100_000)}${"]".repeat(100_000)}}}]`],
  ["keys that are prototypes", '["1","1","api:calm","api",{"__proto__":{"service":"s"},"constructor":1,"request_id":"1"}]'],
  ["lone surrogates", '["1","1","api:calm","api",{"service":"\\ud800","request_type":"\\udc00","request_id":"\\ud800"}]'],
  ["a binary push of nothing", Buffer.from([0])],
  ["a binary push whose lengths lie", Buffer.from([0, 255, 255, 255, 255, 1])],
  ["an unknown binary kind", Buffer.from([9, 1, 1, 1, 1])],
  ["MessagePack in 10 000 lists", Buffer.concat([Buffer.alloc(10_000, 0x91), Buffer.from([0xc0])])],
  ["MessagePack of 4 294 967 295 items", Buffer.from([0xdd, 0xff, 0xff, 0xff, 0xff])],
  ["a MessagePack extension", Buffer.from([0xc7, 0xff, 0x72, 0x01])],
  ["too much", Buffer.alloc(3_000_000, 0x20)],
];

const packed = (...entries: readonly unknown[]): Buffer =>
  Buffer.concat(entries.map((entry) => writeMessagePack(entry, 1_000_000)));
const instance = "a".repeat(22);
const said = (message: object): string => JSON.stringify(message);

/** What is published on the subjects of gateways and nodes, beside {@link messages}. */
// biome-ignore format: one row a line
export const publications: readonly (readonly [name: string, message: string | Buffer])[] = [
  ["random bytes", randomBytes(50_000)],
  ["half an entry", packed([1, 1, 1, 8, null, ["text".repeat(50)], null]).subarray(0, 60)],
  ["entries and half a one", Buffer.concat([packed([5, 1, 1], [4, 1, "text"]), Buffer.from([0x94, 0x01])])],
  ["an entry that is a map", packed({ 0: 1 })],
  ["an entry without an operation", packed([])],
  ["an operation that is no number", packed(["0", 1, 2], [null], [[0]], [{}])],
  ["unknown operations", packed([7], [255, 1], [-1], [1.5], [Number.NaN], [2 ** 53])],
  ["every operation without anything", packed([0], [1], [2], [3], [4], [5], [6])],
  ...[null, true, -1, 1e308, Number.NaN, "text", "x".repeat(70_000), [], {}, new Date(Number.NaN)].map((value) =>
    [`every operation with ${Array.isArray(value) ? "lists" : typeof value === "object" && value !== null ? value.constructor.name : String(value).slice(0, 10)}`,
    packed(...[0, 1, 2, 3, 4, 5, 6].map((operation) => [operation, ...Array(6).fill(value)]))] as const),
  ["answers to calls that nobody made", packed(...[0, 1, 2, 3].flatMap((operation) => [1, 65_537, 2 ** 40].map((id) => [operation, id, "{}", true])))],
  ["a result that is no JSON", packed(...Array.from({ length: 200 }, (_, id) => [0, id, "{{{"]))],
  ["a failure that is none", packed(...Array.from({ length: 200 }, (_, id) => [1, id, { code: {}, error: [], __proto__: null }, "no"]))],
  ["too many asks", packed(...Array.from({ length: 200 }, (_, ask) => [4, ask, "push", {}]))],
  ["asks for what is no function", packed(...["constructor", "__proto__", "toString", ""].map((name, ask) => [4, ask, name, null]))],
  ["entries without end", packed(...Array(5_000).fill([5, 1, 1]))],
  ["a gateway of wrong types", said({ gateway: 1, instance: {}, everyMs: "1" })],
  ["a gateway that is nowhere", said({ gateway: "x", instance, everyMs: 100 })],
  ["a pipe of wrong types", said({ instance: [], session: null })],
  ["a pipe whose session would be a wildcard", said({ instance: ">".repeat(22), session: "*.".repeat(11) })],
  ["a pipe for nobody", said({ instance, session: instance })],
  ["a gateway in 500 lists", "[".repeat(500) + "]".repeat(500)],
  ["an end that counts wrongly", "99999999999999999999 bye"],
];
