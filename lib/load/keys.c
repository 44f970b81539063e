/* SPDX-License-Identifier: MIT */
/* Open addressing with linear probing, at most half full. The hash is keyed by a secret of the process. */
#include "config.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include "core/err.h"
#include "load/keys.h"

static uint64_t secret[2];
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* The kernel gives each program 16 random bytes. */
static void take_secret(void)
{
	const void *random = (const void *)getauxval(AT_RANDOM);

	if (random)
		memcpy(secret, random, sizeof(secret));
	secret[0] ^= 0x9e3779b97f4a7c15ULL;
	secret[1] = (secret[1] ^ 0xbf58476d1ce4e5b9ULL) | 1;
}

static uint64_t mix(uint64_t a, uint64_t b)
{
	unsigned __int128 p = (unsigned __int128)a * b;

	return (uint64_t)p ^ (uint64_t)(p >> 64);
}

static uint32_t hash(const char *text)
{
	size_t len = strlen(text);
	uint64_t h, last = 0;

	pthread_once(&once, take_secret);
	h = secret[0] ^ len;
	for (; len >= 8; len -= 8, text += 8) {
		uint64_t w;

		memcpy(&w, text, 8);
		h = mix(h ^ w, secret[1]) + secret[0];
	}
	memcpy(&last, text, len);
	h = mix(mix(h ^ last, secret[1]) ^ secret[0], secret[1] ^ 0x94d049bb133111ebULL);
	return (uint32_t)(h ^ h >> 32);
}

static struct dv_key_slot *place(const struct dv_keys *k, const char *text, uint32_t h)
{
	for (uint32_t i = h;; i++) {
		struct dv_key_slot *slot = &k->slots[i & (k->room - 1)];

		if (!slot->nr || (slot->hash == h && !strcmp(k->text(k->owner, slot->nr - 1), text)))
			return slot;
	}
}

int dv_keys_reserve(struct dv_keys *k, uint64_t nr)
{
	struct dv_key_slot *old = k->slots, *slots;
	uint64_t room = 64;

	if (nr > DV_KEYS_MAX)
		return dv_err(-E2BIG, "source: more than %u items in one index: open fewer files at once", DV_KEYS_MAX);
	while (room < 2 * nr)
		room *= 2;
	if (room <= k->room)
		return 0;
	slots = calloc(room, sizeof(*slots));
	if (!slots)
		return dv_err(-ENOMEM, "source: cannot allocate an index of %llu entries", (unsigned long long)nr);
	for (uint32_t i = 0; i < k->room; i++) {
		uint32_t at = old[i].hash;

		if (!old[i].nr)
			continue;
		while (slots[at & (room - 1)].nr)
			at++;
		slots[at & (room - 1)] = old[i];
	}
	free(old);
	k->slots = slots;
	k->room = (uint32_t)room;
	return 0;
}

int64_t dv_keys_add(struct dv_keys *k, const char *text, uint32_t nr)
{
	struct dv_key_slot *slot;
	uint32_t h = hash(text);
	int rc;

	if (2 * ((uint64_t)k->used + 1) > k->room) {
		rc = dv_keys_reserve(k, (uint64_t)k->used + 1);
		if (rc)
			return rc;
	}
	slot = place(k, text, h);
	if (slot->nr)
		return slot->nr - 1;
	*slot = (struct dv_key_slot){ h, nr + 1 };
	k->used++;
	return nr;
}

int64_t dv_keys_find(const struct dv_keys *k, const char *text)
{
	const struct dv_key_slot *slot = k->used ? place(k, text, hash(text)) : NULL;

	return slot && slot->nr ? (int64_t)slot->nr - 1 : -ENOENT;
}

void dv_keys_free(struct dv_keys *k)
{
	free(k->slots);
	k->slots = NULL;
	k->room = k->used = 0;
}
