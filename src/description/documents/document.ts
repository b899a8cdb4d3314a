import type { GatewayDescription } from "../gateway-description.ts";
import { asyncApiDocument } from "./asyncapi.ts";
import { type DocumentOptions, openApiDocument } from "./openapi.ts";
import { typescriptDeclarations } from "./typescript.ts";

/** The forms of a description. */
export const documentFormats = ["json", "openapi", "asyncapi", "typescript"] as const;

/** One of {@link documentFormats}. */
export type DocumentFormat = (typeof documentFormats)[number];

/** A description in one of its forms: a document of JSON or, as `typescript`, a text. */
export function documentOf(
  format: DocumentFormat,
  description: GatewayDescription,
  options: DocumentOptions = {},
): object | string {
  switch (format) {
    case "json":
      return description;
    case "openapi":
      return openApiDocument(description, options);
    case "asyncapi":
      return asyncApiDocument(description, options);
    case "typescript":
      return typescriptDeclarations(description);
  }
}
