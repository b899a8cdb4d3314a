import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

/** The part of a token that names its gateway, without telling clients the name itself. */
export function gatewayPart(gateway: string): string {
  return createHash("sha256").update(gateway).digest("base64url").slice(0, 8);
}

/** A new token: the name of its gateway, and 128 random bits. */
export function createToken(gateway: string): string {
  return `${gateway}.${randomBytes(16).toString("base64url")}`;
}

/** The part of a token that names its gateway; null if it is no token. */
export function partOf(token: string): string | null {
  const end = token.indexOf(".");
  return end === -1 ? null : token.slice(0, end);
}

/** The key under which a token's stream is found: how long that takes tells a guesser nothing about other tokens. */
export function keyOf(token: string): string {
  return createHash("sha256").update(token).digest("base64url");
}

/** Compares two tokens in a time that does not depend on where they differ. */
export function isSameToken(one: string, other: string): boolean {
  const [first, second] = [Buffer.from(one), Buffer.from(other)];
  return first.length === second.length && timingSafeEqual(first, second);
}
