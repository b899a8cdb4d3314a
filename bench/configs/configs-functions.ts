import type { FunConfigInput } from "gen-api";
import { posts } from "../socket/socket-service.js";

/** The module that {@link functionsFor} names. */
export const modules = { posts: posts.url as string };

/** As many distinct functions, 100 a service where there are as many services as that takes. */
export function functionsFor(count: number, service: (index: number) => string): FunConfigInput[] {
  return Array.from({ length: count }, (_, index) => ({
    service: service(index),
    requestType: requestType(index),
    nodes: "local",
    runOn: "main",
    timeout: 5_000,
    mfa: "posts.create_post",
    argTypes: { title: { type: "string", maxBytes: 200 }, likes: "num", published: "boolean" },
    argOrders: "map",
    checkPermission: "any_authenticated",
  }));
}

/** The name of one of them. */
export function requestType(index: number): string {
  return `create_post_${index}`;
}
