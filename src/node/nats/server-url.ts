/** What a server of the option `servers` has to be, for messages. */
export const serverForm =
  "a NATS server such as nats://10.0.0.5:4222 or tls://nats.example:4222, without credentials, path or query";

// The client itself takes any scheme for its own, ignores credentials, and may take digits of a password for the port.
const pattern = /^(nats:\/\/|tls:\/\/)?([\w.-]+|\[[\da-fA-F:.]+\])(:\d{1,5})?\/?$/;

/** Whether this names a server, with or without a scheme. */
export function isServer(server: string): boolean {
  return pattern.test(server) && URL.canParse(server.includes("://") ? server : `nats://${server}`);
}

/** The host of a server. */
export function hostOfServer(server: string): string {
  return pattern.exec(server)?.[2] ?? "";
}
