// The API reference: Swagger UI, set up so that an operation can be tried again and again.

// search keeps the operations whose path, method, tag and texts hold every word.
function search(groups, phrase) {
  const words = phrase.toLowerCase().split(/\s+/).filter(Boolean);
  return groups
    .map((group, tag) =>
      group.update("operations", (operations) =>
        operations.filter((entry) => {
          const about = ["operationId", "summary", "description"].map((field) => entry.getIn(["operation", field]));
          const text = [tag, entry.get("method"), entry.get("path"), ...about].join(" ").toLowerCase();
          return words.every((word) => text.includes(word));
        }),
      ),
    )
    .filter((group) => group.get("operations").size > 0);
}

// repeatable removes from the examples what would let a call succeed only once. Swagger UI
// fills the form with every example, also of an If-Match or an Idempotency-Key.
function repeatable(document) {
  for (const operations of Object.values(document.paths)) {
    for (const operation of Object.values(operations)) {
      for (const parameter of operation.parameters ?? []) {
        if (!parameter.required) {
          delete parameter.example;
          delete parameter.schema?.examples;
        }
      }
    }
  }
  const order = document.paths["/order"]?.post.requestBody.content["application/json"].example;
  delete order?.external_id; // unique
  return document;
}

const response = await fetch("openapi.json");
window.SwaggerUIBundle({
  spec: repeatable(await response.json()),
  dom_id: "#reference",
  deepLinking: true,
  defaultModelsExpandDepth: -1,
  displayRequestDuration: true,
  filter: true,
  persistAuthorization: true,
  plugins: [{ fn: { opsFilter: search } }],
  validatorUrl: null,
});

// Swagger UI calls its field a filter by tag.
new MutationObserver((_, observer) => {
  const field = document.querySelector(".operation-filter-input");
  if (field) {
    observer.disconnect();
    field.placeholder = "Search operations";
    field.setAttribute("aria-label", field.placeholder);
  }
}).observe(document.getElementById("reference"), { childList: true, subtree: true });
