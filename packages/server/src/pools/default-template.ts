import type { V1Deployment } from '@kubernetes/client-node'

/**
 * The Deployment that pools are copied from when the operator names no file of their own. It has the shape of
 * openYuanrong's: an init container, the runtime manager, the function agent, and the pod's labels and annotations as
 * files, by which the agent learns them (pool API reference 4.2 and 6.1).
 */
export const defaultTemplate: V1Deployment = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'function-agent' },
  spec: {
    selector: { matchLabels: { app: 'function-agent' } },
    template: {
      metadata: { labels: { app: 'function-agent' }, annotations: { 'yr-default': 'yr-default' } },
      spec: {
        automountServiceAccountToken: false,
        restartPolicy: 'Always',
        terminationGracePeriodSeconds: 30,
        initContainers: [
          {
            name: 'function-agent-init',
            image: 'function-agent-init:v1',
            resources: {
              requests: { cpu: '50m', memory: '64Mi' },
              limits: { cpu: '50m', memory: '64Mi' },
            },
          },
        ],
        containers: [
          {
            name: 'runtime-manager',
            image: 'runtime-manager:v1',
            ports: [
              { name: 'runtime', containerPort: 21005 },
              { name: 'metrics', containerPort: 9392 },
            ],
            env: [
              { name: 'CPU4COMP', value: '500' },
              { name: 'MEM4COMP', value: '512' },
              { name: 'INIT_LABELS', value: '{}' },
              { name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
              { name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
              { name: 'NODE_ID', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
              { name: 'HOST_IP', valueFrom: { fieldRef: { fieldPath: 'status.hostIP' } } },
            ],
            resources: {
              requests: { cpu: '500m', memory: '512Mi' },
              limits: { cpu: '500m', memory: '512Mi' },
            },
            // A pod is handed out when it is ready, so readiness is asked for often; a restart costs a warm pod.
            readinessProbe: { tcpSocket: { port: 21005 }, periodSeconds: 1, failureThreshold: 3 },
            livenessProbe: { tcpSocket: { port: 21005 }, periodSeconds: 5, failureThreshold: 6, timeoutSeconds: 5 },
            volumeMounts: [{ name: 'podinfo', mountPath: '/home/sn/podInfo', readOnly: true }],
          },
          {
            name: 'function-agent',
            image: 'function-agent:v1',
            ports: [{ name: 'agent', containerPort: 58866 }],
            env: [
              { name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
              { name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
              { name: 'HOST_IP', valueFrom: { fieldRef: { fieldPath: 'status.hostIP' } } },
            ],
            resources: {
              requests: { cpu: '100m', memory: '128Mi' },
              limits: { cpu: '100m', memory: '128Mi' },
            },
            readinessProbe: { tcpSocket: { port: 58866 }, periodSeconds: 1, failureThreshold: 3 },
            livenessProbe: { tcpSocket: { port: 58866 }, periodSeconds: 5, failureThreshold: 6, timeoutSeconds: 5 },
            volumeMounts: [{ name: 'podinfo', mountPath: '/home/sn/podInfo', readOnly: true }],
          },
        ],
        volumes: [
          {
            name: 'podinfo',
            downwardAPI: {
              items: [
                { path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } },
                { path: 'annotations', fieldRef: { fieldPath: 'metadata.annotations' } },
              ],
            },
          },
        ],
      },
    },
  },
}
