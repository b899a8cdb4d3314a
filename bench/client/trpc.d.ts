// What the bench uses of tRPC and of Socket.IO's client, which are not installed until they are measured.
declare module "@trpc/server" {
  import type { ZodType } from "zod";

  export const initTRPC: {
    create(): {
      router(procedures: object): object;
      procedure: {
        input<Input>(schema: ZodType<Input>): { mutation(run: (call: { readonly input: Input }) => unknown): object };
      };
    };
  };
}

declare module "@trpc/server/adapters/ws" {
  export function applyWSSHandler(options: { readonly wss: object; readonly router: object }): void;
}

declare module "@trpc/client" {
  export function createWSClient(options: { readonly url: string; readonly WebSocket: unknown }): object;
  export function wsLink(options: { readonly client: object }): object;
  export function createTRPCClient(options: { readonly links: readonly object[] }): {
    readonly createPost: { mutate(input: object): Promise<unknown> };
  };
}

declare module "socket.io-client" {
  export function io(
    url: string,
    options: { readonly transports: readonly string[] },
  ): { emitWithAck(event: string, payload: object): Promise<{ readonly result?: unknown; readonly error?: string }> };
}
