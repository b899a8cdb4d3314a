import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { ServiceToken } from "./push-token.ts";

/** What a service node claims to be. */
export interface NodeIdentity {
  readonly node: string;
  readonly services: readonly string[];
  /** Distinguishes processes of the same name: one that reconnects replaces its own session. */
  readonly instance: string;
}

/** The data on which both ends prove to agree. */
export interface Transcript extends NodeIdentity {
  readonly gateway: string;
  readonly nodeNonce: string;
  readonly gatewayNonce: string;
}

/** A number used once, for one handshake. */
export function randomNonce(): string {
  return randomBytes(24).toString("base64url");
}

/** A proof that only an end with the token can give, valid for this handshake alone. */
export function proofOf(role: "node" | "gateway", transcript: Transcript, secret: string): string {
  const { nodeNonce, gatewayNonce, gateway, node, services, instance } = transcript;
  return createHmac("sha256", secret)
    .update(`gen-api ${role}\n${JSON.stringify([nodeNonce, gatewayNonce, gateway, node, services, instance])}`)
    .digest("base64url");
}

/** Whether a proof is right. Takes the same time for any wrong one. */
export function isProof(proof: string, role: "node" | "gateway", transcript: Transcript, secret: string): boolean {
  const expected = Buffer.from(proofOf(role, transcript, secret));
  const given = Buffer.from(proof);
  return given.length === expected.length && timingSafeEqual(given, expected);
}

/** The token with which a node proved its identity, or null. All are tried, so that the time does not reveal which. */
export function provenToken(
  proof: string,
  transcript: Transcript,
  tokens: readonly ServiceToken[],
): ServiceToken | null {
  return tokens.filter(({ secret }) => isProof(proof, "node", transcript, secret))[0] ?? null;
}
