// Printable ASCII without the quote and the backslash: the characters of most ids and names.
const plain = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;

/** `text` as a JSON string. Half the cost of JSON.stringify for plain ASCII, the same result for all other text. */
export function quote(text: string): string {
  return plain.test(text) ? `"${text}"` : JSON.stringify(text);
}
