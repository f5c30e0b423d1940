/* SPDX-License-Identifier: Apache-2.0 */
/* Two plots in one SVG. */
#include "tests/simulate/simulate.h"

enum { WIDTH = 960, LEFT = 50, RIGHT = 20, HEIGHT = 220, GAP = 70 };

static double
x_of(double at, double of)
{
	return LEFT + at / of * (WIDTH - LEFT - RIGHT);
}

static double
y_of(double part, double top)
{
	double shown = part > 2 ? 2 : part;

	return top + HEIGHT - shown / 2 * HEIGHT;
}

static void
frame(FILE *to, double top, double seconds, const char *title)
{
	fprintf(to, "<text x=\"%d\" y=\"%.0f\" class=\"t\">%s</text>\n", LEFT,
	    top - 28, title);
	for (int i = 0; i <= 4; i++) {
		double y = y_of(i / 2.0, top);

		fprintf(to, "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\""
		    " class=\"%s\"/>\n<text x=\"%d\" y=\"%.1f\" class=\"r\">"
		    "%d %%</text>\n", LEFT, WIDTH - RIGHT, y, y,
		    i == 2 ? "l" : "g", LEFT - 5, y + 4, i * 50);
	}
	for (int s = 0; s <= (int)seconds; s += 10)
		fprintf(to, "<text x=\"%.1f\" y=\"%.1f\" class=\"m\">%d s"
		    "</text>\n", x_of(s, seconds), top + HEIGHT + 14, s);
}

static void
plot_trace(FILE *to, const struct trace *t, double top)
{
	static const char *const colours[TRACE_NODES] = { "#4477aa", "#66ccee",
	    "#228833", "#ccbb44" };
	double seconds = t->n * 0.25, below[TRACE_MAX] = { 0 };

	for (int k = 0; k < TRACE_NODES; k++) {
		fprintf(to, "<path fill=\"%s\" d=\"M", colours[k]);
		for (int i = 0; i < t->n; i++) {
			double y = y_of(below[i] + t->parts[i][k], top);

			fprintf(to, "%.1f %.1fH%.1f%s",
			    x_of(i * 0.25, seconds), y,
			    x_of((i + 1) * 0.25, seconds),
			    i + 1 < t->n ? "L" : "");
		}
		for (int i = t->n - 1; i >= 0; i--)
			fprintf(to, "L%.1f %.1fH%.1f",
			    x_of((i + 1) * 0.25, seconds), y_of(below[i], top),
			    x_of(i * 0.25, seconds));
		fprintf(to, "Z\"/>\n");
		for (int i = 0; i < t->n; i++)
			below[i] += t->parts[i][k];
	}
	frame(to, top, seconds, "What four nodes pass together, in quarters of "
	    "a second; one colour a node");
	for (int i = 0; i < t->event_count; i++) {
		double x = x_of(t->events[i].at, seconds);

		fprintf(to, "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" "
		    "y2=\"%.1f\" class=\"e\"/>\n<text x=\"%.1f\" y=\"%.1f\" "
		    "class=\"s\">%s</text>\n", x, x, top - 4, top + HEIGHT,
		    x + 2, top + (i % 2 == 0 ? -6 : 6), t->events[i].what);
	}
}

static void
line(FILE *to, const double *v, int n, double top, const char *class)
{
	fprintf(to, "<path class=\"%s\" d=\"M", class);
	for (int i = 0; i < n; i++)
		fprintf(to, "%s%.1f %.1f", i > 0 ? "L" : "",
		    x_of(i + 0.5, n), y_of(v[i], top));
	fprintf(to, "\"/>\n");
}

static void
plot_large(FILE *to, const struct trace_large *t, double top)
{
	fprintf(to, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\" "
	    "class=\"b\"/>\n", x_of(t->lost_from, t->n), top,
	    x_of(t->lost_to, t->n) - x_of(t->lost_from, t->n), HEIGHT);
	frame(to, top, t->n, "1,000 nodes, 10,000 tenants: what the greedy "
	    "pass in each second; median, 1 % and 99 % of them (grey: the "
	    "store is away)");
	line(to, t->least, t->n, top, "q");
	line(to, t->most, t->n, top, "q");
	line(to, t->median, t->n, top, "d");
}

void
simulate_plot(FILE *to, const struct trace *t, const struct trace_large *large)
{
	int height = GAP + HEIGHT + (large->n > 0 ? GAP + HEIGHT : 0) + 25;

	fprintf(to, "<svg xmlns=\"http://www.w3.org/2000/svg\" "
	    "viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" "
	    "font-size=\"11\">\n<style>\n"
	    ".t{font-size:13px;font-weight:bold}.r{text-anchor:end}"
	    ".m{text-anchor:middle}.s{font-size:10px}"
	    ".g{stroke:#ccc}.l{stroke:#c00}.e{stroke:#555;"
	    "stroke-dasharray:2 2}.b{fill:#ddd}path.q{fill:none;"
	    "stroke:#88aadd}path.d{fill:none;stroke:#224488;"
	    "stroke-width:2}\n</style>\n"
	    "<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n", WIDTH,
	    height, WIDTH, height);
	plot_trace(to, t, GAP - 20);
	if (large->n > 0)
		plot_large(to, large, 2 * GAP - 20 + HEIGHT);
	fprintf(to, "</svg>\n");
}
