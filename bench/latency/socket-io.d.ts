// What the bench uses of Socket.IO, which is not installed until it is measured.
declare module "socket.io" {
  export interface Socket {
    join(room: string): unknown;
    on(event: string, listener: (payload: never, acknowledge: (answer: unknown) => void) => void): void;
  }

  export class Server {
    constructor(
      server: unknown,
      options: { readonly transports: readonly string[]; readonly serveClient: boolean; readonly pingInterval: number },
    );
    to(room: string): { emit(event: string, payload: unknown): boolean };
    on(event: "connection", listener: (socket: Socket) => void): void;
  }
}
