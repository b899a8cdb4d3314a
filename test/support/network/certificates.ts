import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { isIP } from "node:net";

/** A certificate and its key, in PEM. */
interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** Signs certificates. */
interface Authority extends Certificate {
  /** @param hosts the names and IPv4 addresses that it is for */
  issue(name: string, ...hosts: string[]): Certificate;
}

/**
 * A certificate authority of a test's own. Node makes keys and signatures but no certificates, so those few bytes of
 * X.509 are put together here: the tests need no other program.
 */
export function createAuthority(name = "Test CA"): Authority {
  const keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const isAuthority = extension("551d13", true, sequence(der(0x01, Buffer.from([0xff]))));
  const certify = (subject: string, publicKey: KeyObject, extensions: readonly Buffer[]) =>
    certificate(name, subject, publicKey, extensions, keys.privateKey);
  return {
    cert: certify(name, keys.publicKey, [isAuthority]),
    key: pem(keys.privateKey),
    issue(subject, ...hosts) {
      const own = generateKeyPairSync("ec", { namedCurve: "P-256" });
      const names = hosts.map((host) =>
        isIP(host) === 4 ? der(0x87, Buffer.from(host.split(".").map(Number))) : der(0x82, Buffer.from(host)),
      );
      const extensions = names.length === 0 ? [] : [extension("551d11", false, sequence(...names))];
      return { cert: certify(subject, own.publicKey, extensions), key: pem(own.privateKey) };
    },
  };
}

const ecdsaWithSha256 = sequence(oid("2a8648ce3d040302"));
const dayMs = 86_400_000;
let serial = 0;

function certificate(
  issuer: string,
  subject: string,
  publicKey: KeyObject,
  extensions: readonly Buffer[],
  issuerKey: KeyObject,
): string {
  serial += 1;
  const signed = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.from([0x01, serial >> 8, serial & 0xff])),
    ecdsaWithSha256,
    commonName(issuer),
    sequence(time(Date.now() - dayMs), time(Date.now() + dayMs)),
    commonName(subject),
    publicKey.export({ type: "spki", format: "der" }),
    ...(extensions.length === 0 ? [] : [der(0xa3, sequence(...extensions))]),
  );
  const signature = der(0x03, Buffer.from([0]), sign("sha256", signed, issuerKey));
  const base64 = sequence(signed, ecdsaWithSha256, signature).toString("base64");
  return `-----BEGIN CERTIFICATE-----\n${base64.replace(/.{64}/g, "$&\n")}\n-----END CERTIFICATE-----\n`;
}

function der(tag: number, ...contents: readonly Buffer[]): Buffer {
  const content = Buffer.concat(contents);
  const { length } = content;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

function sequence(...contents: readonly Buffer[]): Buffer {
  return der(0x30, ...contents);
}

function oid(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, "hex"));
}

function commonName(name: string): Buffer {
  return sequence(der(0x31, sequence(oid("550403"), der(0x0c, Buffer.from(name)))));
}

function time(ms: number): Buffer {
  const text = new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, "");
  return der(0x17, Buffer.from(text.slice(2)));
}

function extension(id: string, isCritical: boolean, value: Buffer): Buffer {
  const critical = isCritical ? [der(0x01, Buffer.from([0xff]))] : [];
  return sequence(oid(id), ...critical, der(0x04, value));
}

function pem(key: KeyObject): string {
  return key.export({ type: "pkcs8", format: "pem" }).toString();
}
