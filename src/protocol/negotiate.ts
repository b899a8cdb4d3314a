import { parse, satisfies } from "semver";
import type { Serializer } from "./serializer.ts";
import { serializerV1 } from "./serializer-v1.ts";
import { serializerV2 } from "./serializer-v2.ts";

/** What a client that names no version gets: the first one. */
const defaultVsn = "1.0.0";

// The first that matches is taken, as with the list of serializers that a Phoenix socket is given.
const supported = [
  { requirement: "~1.0.0", serializer: serializerV1 },
  { requirement: "~2.0.0", serializer: serializerV2 },
];

/**
 * The serializer for the version that a client asked for with `?vsn=`, or undefined when the connection must be
 * refused: `vsn` is no string, no semantic version, or of a version that is not spoken.
 */
export function negotiate(vsn: unknown = defaultVsn): Serializer | undefined {
  // parse() also takes "v2.0.0" and "=2.0.0", which are no semantic versions.
  if (typeof vsn !== "string" || !/^\d/.test(vsn) || parse(vsn) === null) return undefined;
  return supported.find(({ requirement }) => satisfies(vsn, requirement, { includePrerelease: true }))?.serializer;
}
