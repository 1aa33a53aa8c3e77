# One image for every service; which one it runs is the command's affair (docker-compose.yml).
FROM node:24-slim

# The Redis add-on provider runs an instance for each add-on. Backups need a pg_dump that is no older
# than the server of the add-ons' databases: PostgreSQL's own packages have it.
RUN apt-get update \
  && apt-get install -y --no-install-recommends redis-server postgresql-common ca-certificates \
  && /usr/share/postgresql-common/pgdg/apt.postgresql.org.sh -y \
  && apt-get install -y --no-install-recommends postgresql-client-17 \
  && rm -rf /var/lib/apt/lists/*

WORKDIR /plexus
COPY package.json package-lock.json ./
# The image has the right Node already: what npm would bring is left out with the tools.
RUN npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund
COPY addon-manifests ./addon-manifests
COPY bin ./bin
COPY cli ./cli
COPY client ./client
COPY demo ./demo
COPY egress-shim ./egress-shim
COPY lib ./lib
COPY local-platform ./local-platform
COPY proto ./proto
COPY scripts ./scripts
COPY services ./services

# A new volume takes its owner from the folder that it is mounted on first.
RUN mkdir -m 700 /nats /master-key /redis-addons /addon-ca /addon-tls /syslog-ca /syslog-tls /postgres-backups \
  && chown node:node /nats /master-key /redis-addons /addon-ca /addon-tls /syslog-ca /syslog-tls /postgres-backups
USER node
CMD ["node", "services/api/main.ts"]
