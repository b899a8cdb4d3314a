/** Who asks in tests in which that does not matter. */
export const identity = {
  requestId: "r1",
  requestType: "x",
  service: "test",
  version: null,
  userId: null,
  userIdVerified: false,
  deviceId: null,
  userRoles: [],
  topic: null,
  ipAddress: null,
  claims: {},
  deadline: null,
  trace: null,
};
