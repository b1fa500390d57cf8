"""What the tests of a song's page do in a browser, and scripts that measure the page."""

from __future__ import annotations

import pytest

from songform.pages.figures import BORDERS

RANGE = "(() => { const range = Bokeh.documents[0].get_model_by_name('view'); return [range.start, range.end] })()"
PLAYHEAD = "document.getElementById('playhead').getBoundingClientRect().x"
TIME = "document.getElementById('audio').currentTime"

CONTRASTS = r"""
() => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true })
    const rgba = color => {
        canvas.clearRect(0, 0, 1, 1)
        canvas.fillStyle = color
        canvas.fillRect(0, 0, 1, 1)
        const [red, green, blue, alpha] = canvas.getImageData(0, 0, 1, 1).data
        return [red, green, blue, alpha / 255]
    }
    const ground = element => {
        const layers = []
        for (let each = element; each; each = each.parentElement)
            layers.push(rgba(getComputedStyle(each).backgroundColor))
        let color = [255, 255, 255]
        for (const [red, green, blue, alpha] of layers.reverse())
            color = [red, green, blue].map((part, i) => part * alpha + color[i] * (1 - alpha))
        return color
    }
    const luminance = color => {
        const linear = part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
        const [red, green, blue] = color.map(part => linear(part / 255))
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue
    }
    const found = []
    for (const element of document.querySelectorAll("body *")) {
        const hasText = [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim())
        if (!hasText || element.closest(":disabled, script, option, .unseen, .skip, caption, noscript")) continue
        if (!element.checkVisibility({ visibilityProperty: true })) continue
        const [one, other] = [rgba(getComputedStyle(element).color), ground(element)].map(luminance).sort()
        const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05)
        if (contrast < 4.5) found.push([element.outerHTML.slice(0, 80), contrast])
    }
    return found
}
"""
# Finds elements that extend beyond the screen, except for the zoomed lane and elements that only screen readers use.
TOO_WIDE = """
() => [...document.querySelectorAll("body *")].filter(element => {
    const { left, right } = element.getBoundingClientRect()
    const isMeant = element.closest(".lane, .overlay, .skip, .unseen, caption, svg, #seek")
    return element.checkVisibility() && !isMeant && (right > innerWidth + 0.5 || left < -0.5)
}).map(element => element.outerHTML.slice(0, 80))
"""
TOO_SMALL = """
() => [...document.querySelectorAll("button, select, input")]
    .filter(element => element.checkVisibility() && element.getBoundingClientRect().height < 24)
    .filter(element => element.type !== "checkbox").map(element => element.outerHTML.slice(0, 80))
"""


def opened(page):
    """Wait until the curves are drawn and the audio is loaded, and return the page."""
    page.wait_for_selector("html.is-drawn")
    until(page, "!document.getElementById('audio') || document.getElementById('audio').readyState > 0")
    return page


def until(page, condition):
    """Wait until a JavaScript condition is true.

    Playwright's own method evaluates text in the page, which the page's content security policy forbids.
    """
    for _ in range(600):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    pytest.fail(f"the condition did not become true: {condition}")


def edit(page):
    page.click("#edit-button")
    page.locator("#editor").wait_for()


def at(page, time, duration, name="wave"):
    """Scroll to a figure that shows the whole song, and return the coordinates of a time on it."""
    page.locator(f"#plot-{name}").evaluate("element => element.scrollIntoView({ block: 'center' })")
    box = page.locator(f"#plot-{name}").bounding_box()
    left, right = BORDERS
    return box["x"] + left + time / duration * (box["width"] - left - right), box["y"] + 30


def now(page):
    """Return the time that the page shows, in seconds."""
    minutes, seconds = page.inner_text("#now").split(":")
    return 60 * int(minutes) + float(seconds)


def placed(page, time):
    """Return where Bokeh draws a time in each figure, in pixels of the window."""
    return page.evaluate(
        """time => Bokeh.documents[0].roots().map(root => {
            const view = Bokeh.index.find_one(root)
            return view.el.getBoundingClientRect().x + view.frame.x_scale.compute(time * 1000)
        })""",
        time,
    )


def visited(context, path):
    page = context.new_page()
    page.goto(f"file://{path}")
    return page


def swipe(page, start, end, steps=8):
    """Swipe from one point to another."""
    client = page.context.new_cdp_session(page)

    def touch(kind, *points):
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]})

    touch("touchStart", start)
    for i in range(1, steps + 1):
        touch("touchMove", tuple(a + (b - a) * i / steps for a, b in zip(start, end, strict=True)))
    touch("touchEnd")


def saved(page, button):
    """Click a button that saves a file, and return the download."""
    with page.expect_download() as download:
        page.click(button)
    return download.value
