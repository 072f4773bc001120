/** The JSON that people and scripts see (times are ISO 8601 with `Z`). Each is made in one place: see the verbs. */
export {};
//# sourceMappingURL=views.js.map