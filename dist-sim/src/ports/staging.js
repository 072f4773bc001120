export {};
//# sourceMappingURL=staging.js.map