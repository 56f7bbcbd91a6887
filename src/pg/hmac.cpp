#include "pg/hmac.h"

#include "pg/guard.h"

extern "C" {
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
        for (std::size_t at = 0; at < body.size(); at += chunk_bytes) {
            CHECK_FOR_INTERRUPTS();
            const std::string_view chunk = body.substr(at, chunk_bytes);
            raising::check(hmac, pg_hmac_update(hmac, bytes(chunk), chunk.size()));
        }
        raising::check(hmac, pg_hmac_final(hmac, digest.data(), digest.size()));
        pg_hmac_free(hmac);
        return digest;
    });
}

} // namespace terra_identity::pg
