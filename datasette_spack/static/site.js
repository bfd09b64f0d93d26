// What the pages do more than they can alone: suggest while somebody types, and copy commands.

"use strict";

const WAIT = 150; // milliseconds without a key until suggestions are asked for
const SHOWN = 2000; // milliseconds that it says so when something was copied

let lists = 0;

/* A combobox: the arrow keys go through the suggestions, Enter takes one, Escape closes. */
function suggest(input) {
    const list = document.createElement("ul");
    list.id = `suggestions-${++lists}`;
    list.className = "suggestions";
    list.hidden = true;
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", "Suggestions");
    input.after(list);
    input.autocomplete = "off";
    input.setAttribute("role", "combobox");
    input.setAttribute("aria-autocomplete", "list");
    input.setAttribute("aria-controls", list.id);
    input.setAttribute("aria-expanded", "false");

    let timer = null;
    let asked = null; // the request whose answer is wanted: only the last
    let active = -1;

    function close() {
        clearTimeout(timer);
        asked?.abort();
        list.hidden = true;
        activate(-1);
        input.setAttribute("aria-expanded", "false");
    }

    function activate(place) {
        active = place;
        [...list.children].forEach((option, at) => {
            option.setAttribute("aria-selected", String(at === place));
        });
        const option = list.children[place];
        if (option) {
            input.setAttribute("aria-activedescendant", option.id);
            option.scrollIntoView({ block: "nearest" });
        } else {
            input.removeAttribute("aria-activedescendant");
        }
    }

    function take(option) {
        input.value = option.dataset.value;
        close();
        if (input.closest("[role=search], .big-search")) {
            input.form.requestSubmit();
        }
    }

    function show(suggestions) {
        list.replaceChildren(
            ...suggestions.map(({ value, label }, at) => {
                const option = document.createElement("li");
                option.id = `${list.id}-${at}`;
                option.dataset.value = value;
                const hint = document.createElement("span");
                hint.className = "muted";
                hint.textContent = label;
                option.append(value, " ", hint);
                option.setAttribute("role", "option");
                return option;
            }),
        );
        activate(-1);
        list.hidden = !suggestions.length;
        input.setAttribute("aria-expanded", String(!list.hidden));
        list.style.left = `${input.offsetLeft}px`;
        list.style.top = `${input.offsetTop + input.offsetHeight}px`;
        list.style.minWidth = `${input.offsetWidth}px`;
    }

    async function ask() {
        asked = new AbortController();
        const signal = asked.signal;
        try {
            const address = `${input.dataset.suggest}?${new URLSearchParams({ q: input.value })}`;
            const response = await fetch(address, { signal });
            const answer = response.ok ? await response.json() : {};
            if (!signal.aborted) {
                show(answer.suggestions ?? []);
            }
        } catch {
            // Whoever types can do without.
        }
    }

    input.addEventListener("input", () => {
        clearTimeout(timer);
        asked?.abort();
        if (input.value.trim()) {
            timer = setTimeout(ask, WAIT);
        } else {
            close();
        }
    });
    input.addEventListener("keydown", (event) => {
        const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
        if (list.hidden || event.isComposing) {
            return;
        }
        if (step) {
            const places = list.children.length + 1; // the field itself is one of them
            activate(((active + 1 + step + places) % places) - 1);
        } else if (event.key === "Enter" && active >= 0) {
            take(list.children[active]);
        } else if (event.key === "Escape") {
            close();
        } else {
            return;
        }
        event.preventDefault();
    });
    list.addEventListener("pointerdown", (event) => event.preventDefault()); // the field keeps focus
    list.addEventListener("click", (event) => {
        const option = event.target.closest("li");
        if (option) {
            take(option);
        }
    });
    input.addEventListener("blur", close);
}

/* The clipboard is there only over HTTPS; a selection can be copied everywhere. */
async function copy(source) {
    try {
        await navigator.clipboard.writeText(source.innerText.trim());
    } catch {
        getSelection().selectAllChildren(source);
        document.execCommand("copy");
    }
}

function copyButtons(buttons) {
    const status = document.createElement("div");
    status.className = "unseen";
    status.setAttribute("role", "status");
    status.setAttribute("aria-live", "polite");
    document.body.append(status);
    for (const button of buttons) {
        const source = document.querySelector(button.dataset.copy);
        if (!source) {
            continue;
        }
        button.type = "button";
        button.hidden = false;
        button.addEventListener("click", async () => {
            await copy(source);
            const name = button.dataset.name ??= button.textContent;
            button.textContent = status.textContent = "Copied";
            setTimeout(() => {
                button.textContent = name;
                status.textContent = "";
            }, SHOWN);
        });
    }
}

document.querySelectorAll("input[data-suggest]").forEach(suggest);
const buttons = document.querySelectorAll("button[data-copy]");
if (buttons.length) {
    copyButtons(buttons);
}

// An address to share has no fields that are empty.
document.addEventListener("formdata", (event) => {
    if (event.target.matches("form.find, form.big-search, form.filters:not(.table-filters)[method=get]")) {
        for (const [name, value] of [...event.formData]) {
            if (value === "") {
                event.formData.delete(name);
            }
        }
    }
});
