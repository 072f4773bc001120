export {};
//# sourceMappingURL=random.js.map