/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Intrusive double-linked lists. A link that is on no list points at itself,
 * so list_remove is safe at any time after list_init.
 * Ownership: none. Thread: the owner's.
 */
#ifndef WEIR_BASE_LIST_H
#define WEIR_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list	*next, *prev;
};

#define LIST_ENTRY(link, type, member) \
	((type *)(void *)((char *)(link) - offsetof(type, member)))
#define LIST_FOREACH(it, head) \
	for (struct list *it = (head)->next; it != (head); it = it->next)
/* The current entry may be removed. */
#define LIST_FOREACH_SAFE(it, head) \
	for (struct list *it = (head)->next, *it##_next = it->next; \
	    it != (head); it = it##_next, it##_next = it->next)

static inline void
list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline bool
list_empty(const struct list *l)
{
	return l->next == l;
}

static inline void
list_remove(struct list *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
	list_init(l);
}

static inline void
list_append(struct list *head, struct list *l)
{
	l->prev = head->prev;
	l->next = head;
	head->prev->next = l;
	head->prev = l;
}

static inline void
list_prepend(struct list *head, struct list *l)
{
	list_append(head->next, l);
}

#endif
