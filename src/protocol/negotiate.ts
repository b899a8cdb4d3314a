import { parse, satisfies } from "semver";
import type { Serializer } from "./serializer.ts";
import { serializerV1 } from "./serializer-v1.ts";
import { serializerV2 } from "./serializer-v2.ts";

/** The version for clients that name none: the first one. */
const defaultVsn = "1.0.0";

// The first match counts, as with the list of serializers of a Phoenix socket.
const supported = [
  { requirement: "~1.0.0", serializer: serializerV1 },
  { requirement: "~2.0.0", serializer: serializerV2 },
];

/**
 * The serializer for the version in a client's `?vsn=`, or undefined if the connection must be refused: `vsn` is not a
 * string, not a semantic version, or an unsupported one.
 */
export function negotiate(vsn: unknown = defaultVsn): Serializer | undefined {
  // parse() also accepts "v2.0.0" and "=2.0.0", which are not semantic versions.
  if (typeof vsn !== "string" || !/^\d/.test(vsn) || parse(vsn) === null) return undefined;
  return supported.find(({ requirement }) => satisfies(vsn, requirement, { includePrerelease: true }))?.serializer;
}
