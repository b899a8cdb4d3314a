// What the bench uses of the libraries that gen-api/otp is compared with, which are not installed until they are measured.
declare module "nact" {
  export interface Reference {
    readonly path: unknown;
  }
  interface Properties<State> {
    readonly initialStateFunc?: () => State;
    readonly onCrash?: (message: unknown, error: Error, context: { readonly reset: symbol }) => symbol;
  }
  export function start(): Reference;
  export function spawn<State, Message>(
    parent: Reference,
    handle: (state: State, message: Message) => State,
    name: string,
    properties: Properties<State>,
  ): Reference;
  export function stop(actor: Reference): void;
  export function dispatch(actor: Reference, message: unknown): void;
  export function query<Reply>(actor: Reference, message: (sender: Reference) => unknown, ms: number): Promise<Reply>;
}

declare module "comedy" {
  export interface ComedyActor {
    createChild(
      definition: unknown,
      config: { readonly mode: "in-memory"; readonly name: string },
    ): PromiseLike<ComedyActor>;
    send(topic: string, ...message: readonly unknown[]): PromiseLike<void>;
    sendAndReceive(topic: string, ...message: readonly unknown[]): PromiseLike<number>;
    destroy(): PromiseLike<void>;
  }
  export default function createSystem(options: { readonly test: boolean }): {
    rootActor(): PromiseLike<ComedyActor>;
  };
}
