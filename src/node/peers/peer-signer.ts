import { createHmac, timingSafeEqual } from "node:crypto";

const macBytes = 32;

/** Signs what gateways say to each other, by the secret that only they know. */
export class PeerSigner {
  readonly #keys: readonly [string, ...string[]];

  /** @param keys the first one signs; signatures by any of them are trusted */
  constructor(keys: readonly [string, ...string[]]) {
    this.#keys = keys;
  }

  /**
   * A text with its signature.
   * @param context where the text is valid: it is not repeated anywhere else
   */
  sign(context: string, text: string): Uint8Array {
    const body = Buffer.from(text, "utf8");
    return Buffer.concat([macOf(this.#keys[0], context, body), body]);
  }

  /** The text that a gateway signed for this context; null if none did. */
  read(context: string, message: Uint8Array): string | null {
    if (message.length < macBytes) return null;
    const mac = message.subarray(0, macBytes);
    const body = message.subarray(macBytes);
    const isSigned = this.#keys.some((key) => timingSafeEqual(mac, macOf(key, context, body)));
    return isSigned ? Buffer.from(body).toString("utf8") : null;
  }
}

function macOf(key: string, context: string, body: Uint8Array): Buffer {
  return createHmac("sha256", key).update(`gen-api peer\n${context}\n`).update(body).digest();
}
