#include "pg/hmac.h"

#include "pg/guard.h"

extern "C" {
#include "common/cryptohash.h"
#include "common/hmac.h"
#include "common/sha2.h"
}

namespace terra_identity::pg {
namespace {

static_assert(sizeof(Digest) == PG_SHA256_DIGEST_LENGTH);

/// Some milliseconds' worth.
constexpr std::size_t chunk_bytes = 1 << 20;

} // namespace

namespace raising {
namespace {

void check(pg_hmac_ctx* hmac, int status) {
    if (status < 0)
        elog(ERROR, "could not compute an HMAC: %s", pg_hmac_error(hmac));
}

void check(pg_cryptohash_ctx* hash, int status) {
    if (status < 0)
        elog(ERROR, "could not compute a hash: %s", pg_cryptohash_error(hash));
}

template <class Update>
void update_in_chunks(std::string_view bytes, const Update& update) {
    for (std::size_t at = 0; at < bytes.size(); at += chunk_bytes) {
        CHECK_FOR_INTERRUPTS();
        const std::string_view chunk = bytes.substr(at, chunk_bytes);
        update(reinterpret_cast<const uint8*>(chunk.data()), chunk.size());
    }
}

} // namespace
} // namespace raising

Digest hmac_sha256(std::string_view secret, std::string_view prefix, std::string_view body) {
    const auto bytes = [](std::string_view text) { return reinterpret_cast<const uint8*>(text.data()); };
    return call([&] {
        Digest digest{};
        // Should an error jump out, its resource owner or memory context releases it.
        pg_hmac_ctx* const hmac = pg_hmac_create(PG_SHA256);
        if (hmac == nullptr)
            ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
        raising::check(hmac, pg_hmac_init(hmac, bytes(secret), secret.size()));
        raising::check(hmac, pg_hmac_update(hmac, bytes(prefix), prefix.size()));
        raising::update_in_chunks(body, [hmac](const uint8* chunk, std::size_t size) {
            raising::check(hmac, pg_hmac_update(hmac, chunk, size));
        });
        raising::check(hmac, pg_hmac_final(hmac, digest.data(), digest.size()));
        pg_hmac_free(hmac);
        return digest;
    });
}

Digest sha256(std::string_view bytes) {
    return call([&] {
        Digest digest{};
        pg_cryptohash_ctx* const hash = pg_cryptohash_create(PG_SHA256);
        if (hash == nullptr)
            ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
        raising::check(hash, pg_cryptohash_init(hash));
        raising::update_in_chunks(bytes, [hash](const uint8* chunk, std::size_t size) {
            raising::check(hash, pg_cryptohash_update(hash, chunk, size));
        });
        raising::check(hash, pg_cryptohash_final(hash, digest.data(), digest.size()));
        pg_cryptohash_free(hash);
        return digest;
    });
}

} // namespace terra_identity::pg
