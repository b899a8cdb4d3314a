/** The valid form of a server in the option `servers`, for messages. */
export const serverForm =
  "a NATS server such as nats://10.0.0.5:4222 or tls://nats.example:4222, without credentials, path or query";

// The client itself takes any scheme for its own, ignores credentials, and may read digits of a password as the port.
const pattern = /^(nats:\/\/|tls:\/\/)?([\w.-]+|\[[\da-fA-F:.]+\])(:\d{1,5})?\/?$/;

/** Whether this names a server, with or without a scheme. */
export function isServer(server: string): boolean {
  return pattern.test(server) && URL.canParse(server.includes("://") ? server : `nats://${server}`);
}

/** The host of a server. */
export function hostOfServer(server: string): string {
  return pattern.exec(server)?.[2] ?? "";
}
