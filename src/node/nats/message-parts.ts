/**
 * NATS delivers at most once and does not repeat lost messages. So the messages of a pipe are numbered from 0, and the
 * number is the last token of the reply subject, on which the server would report the lack of a listener: `12`. A
 * message larger than the server accepts is sent in parts, numbered `12-0-3`, `12-1-3`, `12-2-3`.
 */
export const numberOf = (message: number): string => String(message);

/** The number of a part, see {@link numberOf}. */
export const partNumberOf = (message: number, part: number, parts: number): string => `${message}-${part}-${parts}`;

/** The message that a number, or a part's number, belongs to; null if it is invalid. */
export function messageOfNumber(number: string): number | null {
  const match = numberPattern.exec(number);
  return match === null ? null : Number(match[1]);
}

/** The number of parts for a message of this many bytes. */
export const partsOf = (bytes: number, maxPartBytes: number): number => Math.max(1, Math.ceil(bytes / maxPartBytes));

/** Receives the numbered messages and parts, and reassembles the messages. */
export class MessageReader {
  #expected = 0;
  #expectedNumber = numberOf(0);
  #parts: Uint8Array[] = [];
  #bytes = 0;

  /** How many whole messages have come. */
  get count(): number {
    return this.#expected;
  }

  /**
   * @param maxBytes the largest message accepted
   * @returns the message, once it is whole; null while parts are missing; the fault, as text, if something was lost, is
   * out of order or too large: nothing can be read after that
   */
  next(number: string, data: Uint8Array, maxBytes: number): Uint8Array | null | string {
    if (this.#bytes + data.length > maxBytes) return `a message of more than ${maxBytes} bytes came`;
    if (number === this.#expectedNumber && this.#parts.length === 0) {
      this.#advance();
      return data;
    }
    const match = partPattern.exec(number);
    if (match === null) return this.#gap(number);
    const part = Number(match[2]);
    const parts = Number(match[3]);
    const isNext = Number(match[1]) === this.#expected && part === this.#parts.length;
    // Empty parts would escape the limit of bytes.
    if (!isNext || part >= parts || data.length === 0) return this.#gap(number);
    this.#parts.push(data);
    this.#bytes += data.length;
    if (part + 1 < parts) return null;
    const message = Buffer.concat(this.#parts, this.#bytes);
    this.#parts = [];
    this.#bytes = 0;
    this.#advance();
    return message;
  }

  #advance(): void {
    this.#expected += 1;
    this.#expectedNumber = numberOf(this.#expected);
  }

  #gap(number: string): string {
    const part = this.#parts.length === 0 ? "" : `, part ${this.#parts.length}`;
    return `message ${number} came where ${this.#expectedNumber}${part} was to come: something was lost on the way`;
  }
}

const numberPattern = /^(\d{1,15})(?:-\d{1,5}-\d{1,5})?$/;
const partPattern = /^(\d{1,15})-(\d{1,5})-(\d{1,5})$/;
