// Errors
export { type ErrorCode, GenApiError, type GenApiErrorOptions, isGenApiError } from "./core/errors.ts";
