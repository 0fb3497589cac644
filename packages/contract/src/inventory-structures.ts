import Type, { type TUnsafe } from 'typebox'
import {
  flag,
  int32,
  int64,
  type JsonObject,
  list,
  quantities,
  quantity,
  type Structure,
  structure,
  text,
  textMap,
} from './inventory-types.ts'

/*
 * The nested structures of inventory rows (container API reference 1.6, 1.7, 1.10). The volume sources are those of
 * Kubernetes v1.24; names and types follow its API.
 */

// ---- workloads and namespaces: snake_case ----

/** `{"type": 0 | 1, "int_val": n, "str_val": "25%"}`: 0 = int, 1 = string; all three always written. */
export const intOrStringObject: Structure = structure(
  { type: int64(), int_val: int32(), str_val: text() },
  { write: ['type', 'int_val', 'str_val'] },
)

export const labelSelector: Structure = structure(
  {
    match_labels: textMap(),
    match_expressions: list(
      structure({ key: text(), operator: text(), values: list(text()) }, { write: ['key', 'operator', 'values'] }),
    ),
  },
  { write: ['match_labels', 'match_expressions'] },
)

const bound = intOrStringObject

/** The members of `rolling_update_strategy` by kind; kinds that are missing here store no strategy. */
export const rollingUpdateStrategies: Readonly<Record<string, Structure>> = {
  deployment: structure({ max_unavailable: bound, max_surge: bound }, { write: ['max_unavailable', 'max_surge'] }),
  statefulSet: structure(
    { partition: int32(), max_unavailable: bound },
    { write: ['max_unavailable'], writeNull: ['partition'] },
  ),
  daemonSet: structure({ max_unavailable: bound, max_surge: bound }, { write: ['max_unavailable', 'max_surge'] }),
  gameDeployment: structure(
    { partition: bound, max_unavailable: bound, max_surge: bound },
    { write: ['partition', 'max_unavailable', 'max_surge'] },
  ),
  gameStatefulSet: structure(
    { partition: bound, max_unavailable: bound, max_surge: bound },
    { write: ['partition', 'max_unavailable', 'max_surge'] },
  ),
}

/** What any kind's strategy may hold, for the request's check: the kind decides later which members are stored. */
export const anyRollingUpdateStrategy: Structure = structure({
  max_unavailable: bound,
  max_surge: bound,
  partition: Type.Unsafe({ ...intOrStringObject, type: ['integer', 'object', 'null'] }),
})

export const resourceQuota: Structure = structure(
  {
    hard: textMap(),
    scopes: list(text()),
    scope_selector: structure(
      {
        match_expressions: list(
          structure(
            { scope_name: text(), operator: text(), values: list(text()) },
            { write: ['scope_name', 'operator', 'values'] },
          ),
        ),
      },
      { write: ['match_expressions'] },
    ),
  },
  { write: ['hard', 'scopes', 'scope_selector'] },
)

// ---- pods: camelCase ----

export const podIp: Structure = structure({ ip: text() })

export const toleration: Structure = structure(
  { key: text(), operator: text(), value: text(), effect: text(), tolerationSeconds: int64() },
  { keep: ['tolerationSeconds'] },
)

const secretRef = structure({ name: text() })
const keyToPath = structure({ key: text(), path: text(), mode: int32() }, { write: ['key', 'path'], keep: ['mode'] })
const fieldRef = structure({ apiVersion: text(), fieldPath: text() }, { write: ['fieldPath'] })
const resourceFieldRef = structure(
  { containerName: text(), resource: text(), divisor: quantity() },
  { write: ['resource'] },
)
const downwardFile = structure(
  { path: text(), fieldRef, resourceFieldRef, mode: int32() },
  { write: ['path'], keep: ['mode'] },
)
const namedItems = { name: text(), items: list(keyToPath), optional: flag() }

export const volume: Structure = structure(
  {
    name: text(),
    hostPath: structure({ path: text(), type: text() }, { write: ['path'], keep: ['type'] }),
    emptyDir: structure({ medium: text(), sizeLimit: quantity() }, { keep: ['sizeLimit'] }),
    gcePersistentDisk: structure(
      { pdName: text(), fsType: text(), partition: int32(), readOnly: flag() },
      { write: ['pdName'] },
    ),
    awsElasticBlockStore: structure(
      { volumeID: text(), fsType: text(), partition: int32(), readOnly: flag() },
      { write: ['volumeID'] },
    ),
    gitRepo: structure({ repository: text(), revision: text(), directory: text() }, { write: ['repository'] }),
    secret: structure(
      { secretName: text(), items: list(keyToPath), defaultMode: int32(), optional: flag() },
      { keep: ['defaultMode', 'optional'] },
    ),
    nfs: structure({ server: text(), path: text(), readOnly: flag() }, { write: ['server', 'path'] }),
    iscsi: structure(
      {
        targetPortal: text(),
        iqn: text(),
        lun: int32(),
        iscsiInterface: text(),
        fsType: text(),
        readOnly: flag(),
        portals: list(text()),
        chapAuthDiscovery: flag(),
        chapAuthSession: flag(),
        secretRef,
        initiatorName: text(),
      },
      { write: ['targetPortal', 'iqn', 'lun'], keep: ['initiatorName'] },
    ),
    glusterfs: structure({ endpoints: text(), path: text(), readOnly: flag() }, { write: ['endpoints', 'path'] }),
    persistentVolumeClaim: structure({ claimName: text(), readOnly: flag() }, { write: ['claimName'] }),
    rbd: structure(
      {
        monitors: list(text()),
        image: text(),
        fsType: text(),
        pool: text(),
        user: text(),
        keyring: text(),
        secretRef,
        readOnly: flag(),
      },
      { write: ['monitors', 'image'] },
    ),
    flexVolume: structure(
      { driver: text(), fsType: text(), secretRef, readOnly: flag(), options: textMap() },
      { write: ['driver'] },
    ),
    cinder: structure({ volumeID: text(), fsType: text(), readOnly: flag(), secretRef }, { write: ['volumeID'] }),
    cephfs: structure(
      {
        monitors: list(text()),
        path: text(),
        user: text(),
        secretFile: text(),
        secretRef,
        readOnly: flag(),
      },
      { write: ['monitors'] },
    ),
    flocker: structure({ datasetName: text(), datasetUUID: text() }),
    downwardAPI: structure({ items: list(downwardFile), defaultMode: int32() }, { keep: ['defaultMode'] }),
    fc: structure(
      { targetWWNs: list(text()), lun: int32(), fsType: text(), readOnly: flag(), wwids: list(text()) },
      { keep: ['lun'] },
    ),
    azureFile: structure(
      { secretName: text(), shareName: text(), readOnly: flag() },
      { write: ['secretName', 'shareName'] },
    ),
    configMap: structure({ ...namedItems, defaultMode: int32() }, { keep: ['defaultMode', 'optional'] }),
    vsphereVolume: structure(
      { volumePath: text(), fsType: text(), storagePolicyName: text(), storagePolicyID: text() },
      { write: ['volumePath'] },
    ),
    quobyte: structure(
      {
        registry: text(),
        volume: text(),
        readOnly: flag(),
        user: text(),
        group: text(),
        tenant: text(),
      },
      { write: ['registry', 'volume'] },
    ),
    azureDisk: structure(
      {
        diskName: text(),
        diskURI: text(),
        cachingMode: text(),
        fsType: text(),
        readOnly: flag(),
        kind: text(),
      },
      { write: ['diskName', 'diskURI'], keep: ['cachingMode', 'fsType', 'readOnly', 'kind'] },
    ),
    photonPersistentDisk: structure({ pdID: text(), fsType: text() }, { write: ['pdID'] }),
    projected: structure(
      {
        sources: list(
          structure({
            secret: structure(namedItems, { keep: ['optional'] }),
            downwardAPI: structure({ items: list(downwardFile) }),
            configMap: structure(namedItems, { keep: ['optional'] }),
            serviceAccountToken: structure(
              { audience: text(), expirationSeconds: int64(), path: text() },
              { write: ['path'], keep: ['expirationSeconds'] },
            ),
          }),
        ),
        defaultMode: int32(),
      },
      { write: ['sources'], keep: ['defaultMode'] },
    ),
    portworxVolume: structure({ volumeID: text(), fsType: text(), readOnly: flag() }, { write: ['volumeID'] }),
    scaleIO: structure(
      {
        gateway: text(),
        system: text(),
        secretRef,
        sslEnabled: flag(),
        protectionDomain: text(),
        storagePool: text(),
        storageMode: text(),
        volumeName: text(),
        fsType: text(),
        readOnly: flag(),
      },
      { write: ['gateway', 'system', 'secretRef'] },
    ),
    storageos: structure({
      volumeName: text(),
      volumeNamespace: text(),
      fsType: text(),
      readOnly: flag(),
      secretRef,
    }),
    csi: structure(
      {
        driver: text(),
        readOnly: flag(),
        fsType: text(),
        volumeAttributes: textMap(),
        nodePublishSecretRef: secretRef,
      },
      { write: ['driver'], keep: ['readOnly', 'fsType'] },
    ),
    // A whole claim lies in here; it is stored as sent.
    ephemeral: structure({ volumeClaimTemplate: Type.Unsafe<JsonObject | null>({ type: ['object', 'null'] }) }),
  },
  { write: ['name'] },
)

// ---- containers: camelCase ----

export const containerPort: Structure = structure(
  { name: text(), hostPort: int32(), containerPort: int32(), protocol: text(), hostIP: text() },
  { write: ['containerPort'] },
)

const keyRef = structure({ name: text(), key: text(), optional: flag() }, { write: ['key'], keep: ['optional'] })

export const environmentVariable: Structure = structure(
  {
    name: text(),
    value: text(),
    valueFrom: structure({ fieldRef, resourceFieldRef, configMapKeyRef: keyRef, secretKeyRef: keyRef }),
  },
  { write: ['name'] },
)

export const volumeMount: Structure = structure(
  {
    name: text(),
    mountPath: text(),
    readOnly: flag(),
    subPath: text(),
    mountPropagation: text(),
    subPathExpr: text(),
  },
  { write: ['name', 'mountPath'], keep: ['mountPropagation'] },
)

/** The original's object, or Kubernetes' bare number or name; the bare forms are stored as sent. */
const probePort: TUnsafe<JsonObject | number | string | null> = Type.Unsafe({
  ...intOrStringObject,
  type: ['object', 'integer', 'string', 'null'],
})

export const probe: Structure = structure(
  {
    exec: structure({ command: list(text()) }),
    httpGet: structure(
      {
        path: text(),
        port: probePort,
        host: text(),
        scheme: text(),
        httpHeaders: list(structure({ name: text(), value: text() }, { write: ['name', 'value'] })),
      },
      { write: ['port'] },
    ),
    tcpSocket: structure({ port: probePort, host: text() }, { write: ['port'] }),
    grpc: structure({ port: int32(), service: text() }, { write: ['port', 'service'] }),
    initialDelaySeconds: int32(),
    timeoutSeconds: int32(),
    periodSeconds: int32(),
    successThreshold: int32(),
    failureThreshold: int32(),
    terminationGracePeriodSeconds: int64(),
  },
  { keep: ['terminationGracePeriodSeconds'] },
)

export const resourceAmounts = quantities
