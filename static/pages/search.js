// Searches as you type: asks a moment after the last key, forgets answers that come too late, keeps the address in step.
"use strict";
(() => {
    const form = document.querySelector("form.search");
    const results = document.getElementById("results");
    const input = form.elements.q;
    const WAIT = 150;
    let timer = 0;
    let asking = null;
    let shown = new URLSearchParams(new FormData(form)).toString();

    async function ask() {
        const query = new URLSearchParams(new FormData(form)).toString();
        if (query === shown) return;
        asking?.abort();
        const mine = (asking = new AbortController());
        results.setAttribute("aria-busy", "true");
        try {
            const answer = await fetch(`${form.dataset.results}?${query}`, { signal: mine.signal, redirect: "error" });
            if (answer.status >= 500) throw new Error(answer.statusText);
            const html = await answer.text();
            if (mine.signal.aborted) return;
            show(html, query);
        } catch (error) {
            if (error.name !== "AbortError") form.submit(); // the plain way tells what is wrong
        } finally {
            if (mine === asking) results.setAttribute("aria-busy", "false");
        }
    }

    function show(html, query) {
        const page = new DOMParser().parseFromString(html, "text/html");
        results.replaceChildren(...page.body.childNodes);
        shown = query;
        history.replaceState(null, "", input.value.trim() ? `?${query}` : form.action);
        document.title = input.value.trim() ? `${input.value.trim()} · Vectorpress` : "Vectorpress: search";
    }

    form.classList.add("live");
    form.addEventListener("input", (event) => {
        clearTimeout(timer);
        timer = setTimeout(ask, event.target === input ? WAIT : 0);
    });
    form.addEventListener("submit", (event) => {
        event.preventDefault();
        clearTimeout(timer);
        ask();
    });
    document.addEventListener("keydown", (event) => {
        if (event.key === "/" && !/^(input|textarea|select)$/i.test(event.target.tagName) && !event.ctrlKey && !event.metaKey) {
            event.preventDefault();
            input.select();
        }
    });
})();
