// What the bench uses of Moleculer, which is not installed until it is measured.
declare module "moleculer" {
  export interface BrokerOptions {
    readonly nodeID: string;
    readonly namespace?: string;
    /** Without one its calls stay in the process. */
    readonly transporter?: { readonly type: "NATS"; readonly options: { readonly url: string } };
    readonly serializer?: "JSON" | "CBOR";
    readonly logger: boolean;
    readonly validator: boolean;
    readonly internalServices: boolean;
  }

  export class ServiceBroker {
    constructor(options: BrokerOptions);
    createService(service: {
      readonly name: string;
      readonly actions: Readonly<Record<string, (context: { readonly params: never }) => unknown>>;
    }): unknown;
    start(): Promise<void>;
    waitForServices(name: string): Promise<unknown>;
    call(action: string, params: unknown): Promise<unknown>;
  }
}
